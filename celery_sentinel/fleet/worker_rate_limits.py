"""Whether a rate limit is why a worker starts nothing: it looks as if it were stuck, and is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.fleet import labels
from celery_sentinel.fleet.task_series import RECEIVED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from celery_sentinel import poll_results
    from celery_sentinel.fleet import task_records
    from celery_sentinel.fleet.worker import Worker

POLLS_IN_VAIN = 2


def may_hold(worker: Worker) -> bool:
    """Tell whether that may be so of a worker that is stalled; until it has told, it may.

    It is asked in each poll of the workers while it is stalled. One that does not tell, twice,
    has no rate limits that anybody knows of.
    """
    if worker.limits_asked is None:
        worker.limits_asked = 0
    if worker.limits_at is None:
        return worker.limits_asked < POLLS_IN_VAIN
    return worker.limits_hold


def note(
    told: dict[Worker, poll_results.WorkerReading],
    record_table: task_records.RecordTable,
    now: float,
) -> None:
    """Note what stalled workers answered at monotonic ``now``.

    What a limit holds back has been received and is not ``reserved``: that is what waits for the
    pool, and shows that the pool takes nothing. Where no task events come, any limit may hold.
    """
    limited: dict[Worker, dict[str, bool]] = {}
    for worker, reading in told.items():
        if worker.limits_asked is None:
            continue
        if reading.rate_limits is None:
            worker.limits_asked += 1
            continue
        worker.limits_at, worker.limits_hold = now, False
        if any(reading.rate_limits.values()) and not reading.reserved:
            if worker.events_enabled is not True:
                worker.limits_hold = True
            else:
                limited[worker] = reading.rate_limits
    if limited:
        for worker in _holding(record_table.by_id.values(), limited):
            worker.limits_hold = True


def _holding(
    known: Iterable[task_records.TaskRecord], limited: dict[Worker, dict[str, bool]]
) -> set[Worker]:
    """Return the workers that have received a task with a limit, or perhaps so, and not begun it.

    A task whose name the worker does not know was received under its ``shadow``.
    """
    found: set[Worker] = set()
    for record in known:
        worker = record.worker
        if record.state == RECEIVED and worker is not None and worker in limited:
            names, name = limited[worker], record.series.name
            if name in {labels.OTHER, labels.UNKNOWN} or names.get(name, True):
                found.add(worker)
    return found
