"""What waits in the broker, as the last polls found it, and how long it has waited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.fleet import queue_purges
from celery_sentinel.fleet.task_series import LONGEST, SENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from celery_sentinel import poll_results
    from celery_sentinel.fleet import queues, task_records, task_series, workers

INTERVALS_KEPT = 3


class Backlog:
    """Takes over readings of the broker; drops what three intervals of failure have aged.

    ``interval`` is that of the poll, in seconds. The figures about the broker are None while
    they are unknown. ``elsewhere`` says where else Celery is, while no worker is heard.
    """

    def __init__(
        self,
        *,
        queue_table: queues.QueueTable,
        record_table: task_records.RecordTable,
        series_table: task_series.SeriesTable,
        worker_table: workers.WorkerTable,
        interval: float,
    ) -> None:
        self.interval = interval
        self.elsewhere: tuple[str, ...] = ()
        self._purges = queue_purges.Purges(record_table, series_table, worker_table)
        self._queues = queue_table
        self._records = record_table
        self._read_at: float | None = None
        self._clear()

    def _clear(self) -> None:
        self.round_trip: float | None = None
        self.unacked: int | None = None
        self.oldest_unacked_at: float | None = None
        self.delayed: int | None = None
        self.condition: poll_results.BrokerCondition | None = None

    def apply(self, reading: poll_results.BrokerReading, now: float, wall: float) -> None:
        """Take over a reading made at monotonic ``now`` and epoch ``wall``."""
        self._read_at = now
        self.round_trip = reading.round_trip
        self.unacked = reading.unacked
        self.oldest_unacked_at = reading.oldest_unacked_at
        self.delayed = reading.delayed
        self.condition = reading.condition
        asked_at = now if reading.asked_at is None else reading.asked_at
        self._purges.note(reading, asked_at, wall - (now - asked_at))
        for name, found in reading.queues.items():
            queue = self._queues.by_name.get(name)
            if queue is not None:
                self._apply_one(queue, found, now, wall)

    def _apply_one(
        self, queue: queues.Queue, found: poll_results.QueueReading, now: float, wall: float
    ) -> None:
        queue.clear()
        queue.read_at = now
        queue.length = found.length
        queue.by_priority = found.by_priority
        queue.unacked = found.unacked
        queue.consumers = found.consumers
        if found.length or found.unacked or found.consumers:
            queue.lively_at = wall
        queue.foreign = found.foreign
        known = queue.first_seen
        queue.first_seen = {
            tail.task_id: known.get(tail.task_id, wall)
            for tail in found.tails
            if tail.task_id is not None
        }
        ages = [age for tail in found.tails if (age := self._age(queue, tail, wall)) is not None]
        if ages:
            queue.oldest_at, queue.oldest_source = min(ages)

    def _age(
        self, queue: queues.Queue, tail: poll_results.Tail, wall: float
    ) -> tuple[float, str] | None:
        """Return since when the message at a tail has waited, by the best evidence there is.

        A sender whose clock is ahead cannot make that later than now.
        """
        for at, source in self._evidence(queue, tail):
            if abs(wall - at) < LONGEST:  # else its sender gave it no time
                return min(at, wall), source
        return None

    def _evidence(
        self, queue: queues.Queue, tail: poll_results.Tail
    ) -> Iterator[tuple[float, str]]:
        record = None if tail.task_id is None else self._records.by_id.get(tail.task_id)
        if record is not None and record.state == SENT and record.sent is not None:
            yield record.sent, "tracked"
        if tail.enqueued_at is not None:
            yield tail.enqueued_at, "header"
        if tail.task_id is not None:
            yield queue.first_seen[tail.task_id], "observed"

    def expire(self, now: float) -> None:
        """Drop what was read more than three intervals ago: unknown is absent."""
        limit = now - INTERVALS_KEPT * self.interval
        if self._read_at is not None and self._read_at < limit:
            self._read_at = None
            self._clear()
        for queue in self._queues:
            if queue.read_at is not None and queue.read_at < limit:
                queue.read_at = None
                queue.clear()
