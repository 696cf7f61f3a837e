"""Our own clock is set by a day, either way: nothing is lost, forgotten, old or late for that."""

from __future__ import annotations

import pytest

from celery_sentinel import poll_results
from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import QUEUE, TASK, WORKER, Stage

DAY = 86_400.0
TAIL = poll_results.Tail(task_id="6c1d")


@pytest.mark.parametrize("step", [DAY, -DAY, 400 * DAY])
def test_a_clock_that_is_set(step: float) -> None:
    """What waits keeps its age, what is alive stays so, and a run ends with its run time."""
    stage = Stage()
    stage.online()
    stage.sent()
    stage.received()
    stage.started()
    for _ in range(15):
        stage.pass_time(2)
        stage.beat(active=1, processed=1)
        stage.read({QUEUE: poll_results.QueueReading(length=3, tails=(TAIL,))})
    began = stage.now

    stage.wall += step
    for _ in range(30):
        stage.beat(active=1, processed=1)
        stage.read({QUEUE: poll_results.QueueReading(length=3, tails=(TAIL,))})
        stage.answer(queues=(QUEUE,), concurrency=2)
        stage.pass_time(2)

    assert stage.now - began == 60
    assert stage.value(catalogue.WORKER_UP, WORKER) == 1
    assert stage.fleet.workers.lost == 0
    assert stage.value(catalogue.QUEUE_LENGTH, QUEUE) == 3
    oldest = stage.value(catalogue.QUEUE_OLDEST_MESSAGE, QUEUE, "observed")
    assert 80 <= stage.wall - oldest <= 95
    assert stage.total(catalogue.EVENT_LAG) < 5
    assert stage.total(catalogue.TASK_LOST) == 0
    stage.ended(runtime=90.0)
    assert stage.value(catalogue.TASK_SUCCEEDED, TASK, QUEUE) == 1


def test_a_queue_nobody_mentions_is_forgotten_by_time_that_passed() -> None:
    """A step of a day is no day without a word; a day is."""
    stage = Stage()
    stage.sent()
    stage.answer(None)
    stage.tick()
    stage.wall += 2 * DAY
    stage.tick()
    stage.answer(None)
    assert QUEUE in stage.fleet.queues.by_name
    stage.jump(2 * DAY)
    stage.tick()
    stage.answer(None)
    assert QUEUE not in stage.fleet.queues.by_name
