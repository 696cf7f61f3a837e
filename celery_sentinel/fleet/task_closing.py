"""Closes the tasks whose end no event tells: their worker died, left, or says it runs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from celery_sentinel.fleet import task_records, task_series
    from celery_sentinel.fleet.worker import Worker


class Closer:
    """Closes what workers leave open in the records; ``now`` is monotonic, in seconds."""

    def __init__(self, record_table: task_records.RecordTable) -> None:
        self._records = record_table

    def lose(self, worker: Worker, now: float) -> None:
        """Close what ran on a worker whose process is no more, or that was forgotten: lost."""
        for uuid, record in list(worker.running.items()):
            record.series.lost["worker_lost"] += 1
            self._records.close(uuid, record, now)
        worker.running.clear()

    def give_up(self, worker: Worker, now: float, wall: float) -> None:
        """Close what a worker left running that said goodbye long ago: lost, most likely.

        Not yet what may well last as long, by what runs of its name have taken (epoch ``wall``).
        """
        for uuid, record in list(worker.running.items()):
            usual = _longest(record.series.runtime_succeeded)
            if record.started is not None and wall - record.started < usual:
                continue
            record.series.lost["worker_left"] += 1
            self._records.close(uuid, record, now)

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


def _longest(runtimes: task_series.Histogram | None) -> float:
    """Return a bound of the longest run there was, in seconds; 0.0 where none is known."""
    if runtimes is None or not any(runtimes.counts):
        return 0.0
    last = max(place for place, count in enumerate(runtimes.counts) if count)
    return runtimes.bounds[last] if last < len(runtimes.bounds) else float("inf")
