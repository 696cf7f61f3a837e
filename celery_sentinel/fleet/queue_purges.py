"""A task that was sent and lies in no queue is on its way no more: this finds the proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.fleet.task_series import SENT
from celery_sentinel.fleet.worker import State

if TYPE_CHECKING:
    from celery_sentinel import poll_results
    from celery_sentinel.fleet import task_records, task_series, workers


MOST_PROOFS = 10_000


class Purges:
    """Notes which queues were seen empty while no worker can have held a message of them unsaid.

    Then what was sent there before has been purged, or dropped since it had expired.
    """

    def __init__(
        self,
        record_table: task_records.RecordTable,
        series_table: task_series.SeriesTable,
        worker_table: workers.WorkerTable,
    ) -> None:
        self._records = record_table
        self._series = series_table
        self._workers = worker_table

    def note(self, reading: poll_results.BrokerReading, asked_at: float, wall: float) -> None:
        """Take over a reading that began at monotonic ``asked_at``, epoch ``wall``."""
        empty = {name for name, found in reading.queues.items() if found.length == 0}
        if not empty:
            return
        waiting = {one.queue_name for one in self._series if one.in_flight[SENT]} & empty
        consumed_by = self._consumed_by(asked_at) if waiting else None
        if len(self._records.emptied) >= MOST_PROOFS:
            self._records.emptied.clear()
        for name in waiting:
            found = reading.queues[name]
            unacked = reading.unacked if found.unacked is None else found.unacked
            if unacked == 0 or found.consumers == 0:
                self._records.emptied[name] = (asked_at, wall)
            elif consumed_by is not None and name in consumed_by:
                consuming, since = consumed_by[name]
                if found.consumers is None or found.consumers <= consuming:
                    self._records.emptied[name] = (since, wall - (asked_at - since))

    def _consumed_by(self, asked_at: float) -> dict[str, tuple[int, float]] | None:
        """Return how many workers consume each queue, and when (monotonic) none held one unsaid.

        Left out are queues of workers that may hold some: each says what it receives, or has
        answered that it holds nothing. None while one that is up has not told what it consumes.
        """
        consumed_by: dict[str, tuple[int, float]] = {}
        doubtful: set[str] = set()
        for worker in self._workers:
            if worker.state is not State.UP:
                continue
            if worker.queues is None:
                return None
            since = asked_at
            if not worker.events_enabled:
                since = min(asked_at, worker.answered_at or 0.0)
                if worker.active or worker.reserved != 0 or worker.scheduled != 0:
                    doubtful.update(worker.queues)
            for name in worker.queues:
                consuming, earliest = consumed_by.get(name, (0, asked_at))
                consumed_by[name] = (consuming + 1, min(earliest, since))
        return {name: found for name, found in consumed_by.items() if name not in doubtful}
