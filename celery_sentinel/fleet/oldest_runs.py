"""Which run of each task has gone on for longest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.fleet import timestamps
from celery_sentinel.fleet.task_series import STARTED

if TYPE_CHECKING:
    from celery_sentinel.fleet import model


def started_at(fleet: model.Fleet) -> dict[tuple[str, ...], float]:
    """Return the earliest start among the running tasks of each series.

    Only references are copied under the lock. A record that ends meanwhile is passed over by
    its state, so the answer is at most one moment old.
    """
    with fleet.lock.reading():
        everybody = (*fleet.workers, fleet.workers.overflowed)
        running = [list(worker.running.values()) for worker in everybody]
    oldest, latest = dict[tuple[str, ...], float](), timestamps.latest(fleet.wall)
    for records in running:
        for record in records:
            started = record.started
            if record.state == STARTED and started and started <= latest:
                labels = record.series.labels
                if started < oldest.get(labels, float("inf")):
                    oldest[labels] = started
    return oldest
