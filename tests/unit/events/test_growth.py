"""What a message may become in memory has an end, and the receiver is told what may have grown."""

from __future__ import annotations

import json
import zlib

import pytest

from celery_sentinel.events import decoding
from celery_sentinel.events.event import Event
from tests.unit.events import published

EVENT = '{"type": "a"}'
ODD = '{"type": "a", "x": NaN}'


@pytest.mark.parametrize("event", [EVENT, ODD], ids=["strict", "loose"])
def test_a_batch_beyond_all_batches_is_refused(event: str) -> None:
    """Celery's have 24 events; 12 bytes an event become 200 in memory."""
    most = published.decoded_body(f"[{','.join([event] * decoding.MAX_BATCH)}]".encode())
    more = published.decoded_body(f"[{','.join([event] * (decoding.MAX_BATCH + 1))}]".encode())
    assert (len(most.events), most.rejected) == (decoding.MAX_BATCH, {})
    assert (more.events, more.rejected) == ([], {"oversized": 1})


def test_what_is_unpacked_has_a_limit_of_its_own() -> None:
    """A read holds hundreds of compressed messages, so each may grow to a megabyte only."""
    room = decoding.MAX_UNPACKED - len(EVENT)
    packed = [zlib.compress((" " * spaces + EVENT).encode()) for spaces in (room, room + 1)]
    most, more = (published.decoded_body(body, compression=decoding.ZLIB) for body in packed)
    assert (len(most.events), most.rejected) == (1, {})
    assert (more.events, more.rejected) == ([], {"oversized": 1})


@pytest.mark.parametrize(
    ("body", "slow"),
    [(EVENT, False), (f"[{EVENT}]", False), (ODD, True), ("[]", True), ("?", True)],
)
def test_it_is_told_whether_a_message_may_have_grown(body: str, slow: bool) -> None:
    """True is for all that was not decoded at once, in an envelope and without."""
    decoder, found = decoding.Decoder(), list[Event]()
    assert decoder.body(body.encode(), found) is slow
    assert decoder.envelope(published.envelope(body.encode()), found) is slow


@pytest.mark.parametrize("retries", [10**60, -(10**60), 2**63])
def test_a_number_of_retries_that_no_record_should_keep_is_dropped(retries: int) -> None:
    """JSON's integers have no end, and a record keeps this one for a day."""
    body = json.dumps({"type": "task-received", "uuid": "1", "retries": retries}).encode()
    (event,) = published.decoded_body(body).events
    assert event.retries == 0


@pytest.mark.parametrize("clock", [10**4000, -(10**60), 2**63], ids=["vast", "below", "just"])
def test_a_clock_that_no_account_should_keep_is_dropped(clock: int) -> None:
    """The start it belongs to counts as ever."""
    body = b'{"type": "task-started", "uuid": "1", "clock": %s}'
    for text in (body % str(clock).encode(), b"[" + body % str(clock).encode() + b", NaN]"):
        assert [event.clock for event in published.decoded_body(text).events] == [None]
