"""Asks the broker each few seconds how much waits in every known queue."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from celery_sentinel.brokers import queue_reader
    from celery_sentinel.fleet import model

DISCOVER_EACH = 60.0  # seconds between two looks for queues nobody told us of


class QueuePoll:
    """The question about queues. Its interval is in seconds."""

    name = "queues"

    def __init__(
        self, reader: queue_reader.QueueReader, fleet: model.Fleet, *, interval: float
    ) -> None:
        self._reader = reader
        self._fleet = fleet
        self._interval = interval
        self._next = 0.0
        self._discover_next = 0.0

    def due(self, now: float) -> bool:
        """Tell whether the interval is over; a late poll is not made up for."""
        return now >= self._next

    def ask(self) -> None:
        """Read all known queues, and now and then look for others first."""
        now = time.monotonic()
        self._next = now + self._interval
        if now >= self._discover_next:
            self._discover_next = now + min(DISCOVER_EACH, 12 * self._interval)
            self._fleet.note_queues(self._reader.discover(), time.time())
        with self._fleet.lock.reading():
            names = list(self._fleet.queues.by_name)
        reading = self._reader.read(names)
        self._fleet.apply_reading(reading, time.monotonic(), time.time())

    def close(self) -> None:
        """Drop the connection."""
        self._reader.close()
