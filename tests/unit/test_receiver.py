"""The receiver goes on for ever, and never in a hot loop."""

from __future__ import annotations

import itertools
import random
import threading
import time
from typing import TYPE_CHECKING

from celery_sentinel import errors, poll_results, receiver
from celery_sentinel.config import schema
from celery_sentinel.fleet import model
from celery_sentinel.telemetry import subscription
from tests.servers import deadline

if TYPE_CHECKING:
    import pytest

    from celery_sentinel.events.event import Event

_FAILED = poll_results.Trouble(reason="timeout", text="timed out")


class HangsUp:
    """A source whose broker accepts us and hangs up at once."""

    durable = kept = False
    heard_at = 0.0

    def __init__(self) -> None:
        self.connected_at: list[float] = []

    def connect(self) -> None:
        """Succeed."""
        self.connected_at.append(time.monotonic())

    def read(self) -> list[Event]:
        """Fail."""
        raise errors.BrokerError("closed by the server")

    def overflowed(self) -> bool:
        """Keep nothing."""
        return False

    def close(self) -> None:
        """Do nothing."""


def test_a_broker_that_hangs_up_at_once_is_given_time() -> None:
    """Each attempt after a short-lived stream waits longer; each break is a gap."""
    source = HangsUp()
    connection = subscription.Subscription(transport="redis", url="redis://here/0")
    receiving = receiver.Receiver(
        source=source,
        fleet=model.Fleet(schema.Config()),
        connection=connection,
        scrub=str,
        jitter=random.Random(1),
    )
    thread = threading.Thread(target=receiving.run)
    thread.start()
    deadline.wait_until(lambda: len(source.connected_at) >= 5, 30, "five attempts")
    receiving.stop()
    thread.join()

    attempts = source.connected_at[:5]
    waits = [later - earlier for earlier, later in itertools.pairwise(attempts)]
    least = [receiver.FIRST_BACKOFF * 2**n / 2 for n in range(4)]
    assert all(wait >= shortest for wait, shortest in zip(waits, least, strict=True))
    assert connection.gaps["error"] >= 4


class Refuses(HangsUp):
    """A source whose broker is away."""

    def connect(self) -> None:
        """Fail."""
        super().connect()
        raise errors.BrokerError("refused")


def test_a_broker_that_a_poll_finds_is_tried_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the wait would be; what other polls say, or one that failed, ends no wait."""
    monkeypatch.setattr(receiver, "FIRST_BACKOFF", 3600.0)
    monkeypatch.setattr(receiver, "LONGEST_BACKOFF", 3600.0)
    source, fleet = Refuses(), model.Fleet(schema.Config())
    fleet.note_poll("queues", duration=0.1, wall=time.time())
    receiving = receiver.Receiver(
        source=source,
        fleet=fleet,
        connection=subscription.Subscription(transport="redis", url="redis://here/0"),
        scrub=str,
    )
    thread = threading.Thread(target=receiving.run)
    thread.start()
    try:
        deadline.wait_until(lambda: source.connected_at, 30, "an attempt")
        fleet.note_poll("result_backend", duration=0.1, wall=time.time())
        fleet.note_poll("queues", duration=0.1, trouble=_FAILED, wall=time.time())
        looked = receiving.beat + 2 * receiver.TICK
        deadline.wait_until(lambda: receiving.beat >= looked, 30, "the receiver looks again")
        assert len(source.connected_at) == 1
        fleet.note_poll("queues", duration=0.1, wall=time.time())
        deadline.wait_until(lambda: len(source.connected_at) == 2, 30, "another attempt")
    finally:
        receiving.stop()
        thread.join()
