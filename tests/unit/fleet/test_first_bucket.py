"""A wait within the first bucket is counted without a search, and counted there all the same."""

from __future__ import annotations

import pytest

from celery_sentinel.fleet import task_series, task_waits
from celery_sentinel.fleet.task_records import TaskRecord

BOUNDS = (0.25, 1.0)


@pytest.mark.parametrize(
    ("wait", "counts", "clamped"),
    [
        (0.0, [1, 0, 0], 0),
        (0.25, [1, 0, 0], 0),  # a bound belongs to its bucket
        (0.5, [0, 1, 0], 0),
        (2.0, [0, 0, 1], 0),
        (-0.5, [1, 0, 0], 1),
    ],
)
def test_each_wait_is_in_its_bucket(wait: float, counts: list[int], clamped: int) -> None:
    """Both waits of a start are, and the one in the queue is not counted twice."""
    one = task_series.TaskSeries(
        ("shop.pay", "mail"),
        runtime=(),
        queue_wait=BOUNDS,
        prefetch_wait=task_series.Histogram(BOUNDS),
        vague=False,
    )
    record = TaskRecord(one, None, task_series.STARTED, 0.0, sent=8.0 - wait, received=8.0 - wait)
    observer = task_waits.Waits()
    observer.ended(record, one, 8.0)
    for histogram in (one.queue_wait, one.prefetch_wait):
        assert histogram is not None
        assert histogram.counts == counts
        assert histogram.sum == max(0.0, wait)
    assert observer.clamped == 2 * clamped
    assert record.sent is None
