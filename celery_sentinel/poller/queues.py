"""Asks the broker each few seconds how much waits in every known queue."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from celery_sentinel import errors, logs
from celery_sentinel.fleet import labels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from celery_sentinel import poll_results
    from celery_sentinel.brokers import protocols
    from celery_sentinel.fleet import model

DISCOVER_EACH = 60.0  # seconds between two looks for queues nobody told us of
ELSEWHERE_AFTER = 10.0  # seconds without a heartbeat; workers send one every 2 s
ELSEWHERE_EACH = 30.0
PORTION = 256  # queues taken over under one lock: some 3 ms


class QueuePoll:
    """The question about queues. Its interval is in seconds."""

    name = "queues"

    def __init__(
        self, reader: protocols.QueueReader, fleet: model.Fleet, *, interval: float
    ) -> None:
        self._reader = reader
        self._fleet = fleet
        self._interval = interval
        self._log = logs.get(__name__)
        self._next = 0.0
        self._discover_next = 0.0
        self._elsewhere_next = time.monotonic() + ELSEWHERE_AFTER

    def due(self, now: float) -> bool:
        """Tell whether the interval is over; a late poll is not made up for."""
        return now >= self._next

    def ask(self) -> None:
        """Read all known queues, and now and then look for others first.

        Raises ``errors.BrokerError`` also where a part was read, after taking that over.
        """
        now = time.monotonic()
        self._next = now + self._interval
        trouble = None
        if now >= self._discover_next:
            self._discover_next = now + min(DISCOVER_EACH, 12 * self._interval)
            trouble = self._discover()
        asked_at = time.monotonic()
        try:
            reading = self._reader.read(self._names())
        except errors.BrokerError:
            self._expire()
            raise
        reading = msgspec.structs.replace(reading, asked_at=asked_at)
        now, wall = time.monotonic(), time.time()
        for portion in _portions(reading):
            self._fleet.apply_reading(portion, now, wall)
        trouble = trouble or reading.trouble or self._look_elsewhere(now)
        if trouble is not None:
            raise errors.BrokerError(trouble)

    def _discover(self) -> str | None:
        """Look for queues; return why that failed, which is no reason not to read the known."""
        try:
            self._fleet.note_queues(self._reader.discover(), time.time())
        except errors.BrokerError as error:
            return str(error)
        return None

    def _look_elsewhere(self, now: float) -> str | None:
        """While no worker is heard, look where else they are; return why that failed."""
        if self._is_heard():
            self._tell_elsewhere(())
        elif now >= self._elsewhere_next:
            try:
                found = tuple(self._reader.elsewhere())
            except errors.BrokerError as error:
                return str(error)
            finally:
                self._elsewhere_next = time.monotonic() + ELSEWHERE_EACH
            self._tell_elsewhere(() if self._is_heard() else found)
        return None

    def _is_heard(self) -> bool:
        with self._fleet.lock.reading():
            return any(worker.heartbeat_at is not None for worker in self._fleet.workers)

    def _tell_elsewhere(self, found: tuple[str, ...]) -> None:
        if found != self._fleet.backlog.elsewhere:
            self._fleet.backlog.elsewhere = found
            if found:
                self._log.warning("celery_is_elsewhere", found=" ".join(found))

    def _names(self) -> list[str]:
        """Return the queues to ask for: those whose label, the only name we keep, is theirs.

        One name for the queues that processes made for themselves is the name of none.
        """
        with self._fleet.lock.reading():
            table = self._fleet.queues
            known = [queue.name for queue in table if queue.name not in table.folded]
        return [name for name in known if not _altered(name)]

    def _expire(self) -> None:
        """Drop what is too old here too: the receiver may be busy with connecting."""
        with self._fleet.lock:
            self._fleet.backlog.expire(time.monotonic())

    def close(self) -> None:
        """Drop the connection."""
        self._reader.close()


def _portions(reading: poll_results.BrokerReading) -> Iterator[poll_results.BrokerReading]:
    """Yield the reading in parts, one at least: all at once would hold the receiver up."""
    queues = list(reading.queues.items())
    for start in range(0, max(1, len(queues)), PORTION):
        portion = dict(queues[start : start + PORTION])
        yield msgspec.structs.replace(reading, queues=portion)


def _altered(name: str) -> bool:
    """Tell whether ``labels.clean`` has made this of another name, which we cannot ask for."""
    return "\ufffd" in name or (len(name) == labels.MAX_LENGTH and name.endswith("…"))
