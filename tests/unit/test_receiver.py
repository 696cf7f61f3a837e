"""The receiver goes on for ever, and never in a hot loop."""

from __future__ import annotations

import itertools
import random
import threading
import time
from typing import TYPE_CHECKING

from celery_sentinel import errors, receiver
from celery_sentinel.config import schema
from celery_sentinel.fleet import model, stream
from tests.servers import deadline

if TYPE_CHECKING:
    from celery_sentinel import events


class HangsUp:
    """A source whose broker accepts us and hangs up at once."""

    durable = kept = False
    heard_at = 0.0

    def __init__(self) -> None:
        self.connected_at: list[float] = []

    def connect(self) -> None:
        """Succeed."""
        self.connected_at.append(time.monotonic())

    def read(self) -> list[events.Event]:
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
    connection = stream.Stream(transport="redis", url="redis://here/0")
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
