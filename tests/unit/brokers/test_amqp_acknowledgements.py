"""Every delivery is acknowledged, whatever became of it, and none is applied twice."""

from __future__ import annotations

import struct

import pytest

from celery_sentinel import errors
from celery_sentinel.brokers.amqp import acknowledgements, event_queue
from celery_sentinel.events import decoding
from tests.servers import flood
from tests.unit.brokers import amqp_stream


def reader(
    receipts: acknowledgements.Receipts, *, waiting: int = 0, cap: int = 10**6
) -> acknowledgements.AcknowledgedFrames:
    """Return a reader on a new connection, channel 3."""
    return acknowledgements.AcknowledgedFrames(
        decoding.Decoder(max_message_bytes=1000),
        b"",
        receipts=receipts,
        consumed=event_queue.Consumed(3, waiting, existed=True),
        cap=cap,
    )


def again(delivery: bytes) -> bytes:
    """Return a delivery with its flag ``redelivered`` set."""
    tag = b"\x08consumer" + struct.pack(">Q", 1)
    return delivery.replace(tag + b"\x00", tag + b"\x01", 1)


def test_what_is_read_is_acknowledged_with_one_frame() -> None:
    """The frame names the last delivery; oversized and unreadable ones are among them."""
    frames = reader(acknowledgements.Receipts())
    found: list[object] = []
    for body in (*flood.events(3), b"no event", b"x" * 1001):
        frames.feed(amqp_stream.deliver(body), found)  # type: ignore[arg-type]
    assert len(found) == 3
    assert frames.acknowledgement(at_least=6) == b""
    expected = amqp_stream.method(3, (60, 80), "Lb", (5, True))
    assert frames.acknowledgement() == expected
    assert frames.acknowledgement() == b""


def test_what_comes_again_on_a_new_connection_is_dropped_once_known() -> None:
    """Marked as delivered before and applied before it is dropped; either alone it is not."""
    receipts = acknowledgements.Receipts()
    applied, lost, new = flood.events(3)
    reader(receipts).feed(amqp_stream.deliver(applied), [])
    frames = reader(receipts)
    found: list[object] = []
    for delivery in (
        again(amqp_stream.deliver(applied)),
        again(amqp_stream.deliver(lost)),
        amqp_stream.deliver(new),
        amqp_stream.deliver(applied),
    ):
        frames.feed(delivery, found)  # type: ignore[arg-type]
    assert [event.clock for event in found] == [1, 2, 0]  # type: ignore[attr-defined]
    assert receipts.repeats == 1


@pytest.mark.parametrize(("cap", "full"), [(3000, False), (800, True)])
def test_a_backlog_as_large_as_the_limit_was_full(cap: int, *, full: bool) -> None:
    """Within one message of the limit the queue had to drop, or would have with the next."""
    frames = reader(acknowledgements.Receipts(), waiting=3, cap=cap)
    for body in flood.events(3):
        assert not frames.overflowed
        frames.feed(amqp_stream.deliver(body), [])
    assert frames.overflowed == full


def test_a_delivery_that_is_cut_short_is_no_amqp() -> None:
    """A method that ends before its flags breaks the connection, nothing else."""
    payload = struct.pack(">HH", 60, 60) + b"\x08cons"
    with pytest.raises(errors.BrokerError, match="not the AMQP protocol"):
        reader(acknowledgements.Receipts()).feed(amqp_stream.frame(1, payload, channel=3), [])
