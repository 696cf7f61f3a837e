"""Closes the tasks whose end no event tells: their worker died, left, or says it runs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from celery_sentinel.fleet import records
    from celery_sentinel.fleet.worker import Worker


class Closer:
    """Closes what workers leave open in the records; ``now`` is monotonic, in seconds."""

    def __init__(self, record_table: records.RecordTable) -> None:
        self._records = record_table

    def lose(self, worker: Worker, now: float, *, reason: str = "worker_lost") -> None:
        """Close what ran on a worker whose process is no more, or was given up: lost."""
        for uuid, record in list(worker.running.items()):
            record.series.lost[reason] += 1
            self._records.close(uuid, record, now)
        worker.running.clear()

    def close_idle(self, worker: Worker, before: float, now: float) -> None:
        """Close what was started before ``before`` (monotonic) on a worker that has been idle.

        A task that ends in ``Ignore`` has no closing event.
        """
        for uuid, record in list(worker.running.items()):
            if record.seen < before:
                self._records.close(uuid, record, now)

    def close_left(self, worker: Worker, now: float) -> None:
        """Close what a worker that ran nothing when it said goodbye had started by then.

        What it began after that, from what it had taken in advance, still runs.
        """
        left_at = worker.offline_at
        for uuid, record in list(worker.running.items()):
            if left_at is not None and record.started is not None and record.started <= left_at:
                self._records.close(uuid, record, now)
