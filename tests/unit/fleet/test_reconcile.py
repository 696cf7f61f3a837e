"""What a worker says it runs corrects what its events have told, and nothing that is newer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from celery_sentinel import poll_results
from celery_sentinel.config import schema
from celery_sentinel.fleet import task_series, worker_replies
from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import EPOCH, ID, QUEUE, TASK, WORKER, Stage

if TYPE_CHECKING:
    from collections.abc import Iterable

WHERE = (TASK, QUEUE)
OTHER = "w2@host"
HOUR = 3600.0


def runs(play: Stage, *uuids: str, hostname: str = WORKER, at: float = -5.0) -> None:
    """Let a worker answer that it runs these tasks since ``at``, and no others."""
    play.answer(hostname, active=_active(uuids, at))


def _active(uuids: Iterable[str], at: float) -> tuple[poll_results.ActiveTask, ...]:
    return tuple(
        poll_results.ActiveTask(task_id=uuid, name=TASK, queue=QUEUE, started_at=EPOCH + at)
        for uuid in uuids
    )


def start(play: Stage, uuid: str = ID, hostname: str = WORKER) -> None:
    """Play a task up to its start, and let it be older than any margin."""
    play.sent(uuid)
    play.received(uuid, hostname=hostname)
    play.started(uuid, hostname=hostname)
    play.jump(worker_replies.MARGIN + 1)


def started(play: Stage) -> int:
    """Return how many tasks are said to run."""
    return int(play.value(catalogue.TASKS_IN_FLIGHT, *WHERE, "started") or 0)


# --- ends that were not heard ----------------------------------------------------------------


def test_given_a_lost_end_then_the_task_is_gone_after_two_answers_not_one(play: Stage) -> None:
    """One answer may have been overtaken by events; two in a row have not."""
    play.beat(active=1)
    start(play)
    runs(play)
    assert started(play) == 1
    play.jump(30)
    runs(play)
    assert started(play) == 0
    assert play.worker().running == {}
    assert play.children(catalogue.TASK_OLDEST_STARTED) == {}
    assert play.children(catalogue.TASK_LOST) == {}


def test_given_a_task_missing_once_then_named_again_then_the_count_starts_anew(
    play: Stage,
) -> None:
    """Two answers without it have to follow each other."""
    play.beat(active=1)
    start(play)
    for named in (False, True, False, True, False):
        runs(play, *[ID] * named)
        play.jump(30)
        assert started(play) == 1
    runs(play)
    assert started(play) == 0


def test_given_an_answer_without_the_question_then_nothing_is_missing(play: Stage) -> None:
    """A worker that did not say what it runs has not said that it runs nothing."""
    play.beat(active=1)
    start(play)
    for _ in range(5):
        play.answer(concurrency=2)
        play.jump(30)
    assert started(play) == 1


def test_given_a_task_started_within_the_margin_then_it_is_never_missing(play: Stage) -> None:
    """An answer may have left before the task began."""
    play.beat(active=1)
    for n in range(10):
        play.ended(uuid=str(n - 1))
        play.sent(str(n))
        play.received(str(n))
        play.started(str(n))
        play.jump(worker_replies.MARGIN)
        runs(play)
        runs(play)
        assert started(play) == 1


def test_given_two_workers_with_one_name_then_one_of_them_closes_nothing(play: Stage) -> None:
    """What runs on a namesake is missing in the answer of the other."""
    play.beat(active=1)
    start(play)
    play.answer(answers=2, active=())
    for _ in range(4):
        runs(play)
        play.jump(30)
    assert started(play) == 1


def test_given_a_closed_ghost_when_its_end_comes_after_all_then_it_counts(play: Stage) -> None:
    """An end that was late is counted under its name, and nothing is in flight."""
    play.beat(active=1)
    start(play)
    for _ in range(2):
        runs(play)
        play.jump(30)
    play.ended(runtime=1.0)
    assert play.value(catalogue.TASK_SUCCEEDED, *WHERE) == 1
    assert play.total(catalogue.TASKS_IN_FLIGHT) == 0


# --- tasks that run --------------------------------------------------------------------------


def test_given_a_task_that_began_before_our_time_then_it_appears_with_its_name(
    play: Stage,
) -> None:
    """It is in flight since its worker says it began, and its end counts under its name."""
    play.beat(active=1)
    runs(play, ID, at=-500)
    assert started(play) == 1
    assert play.children(catalogue.TASK_OLDEST_STARTED) == {WHERE: EPOCH - 500}
    play.jump(30)
    play.ended(runtime=530.0)
    assert play.value(catalogue.TASK_SUCCEEDED, *WHERE) == 1
    assert play.children(catalogue.ORPHAN_EVENTS) == {}
    assert play.total(catalogue.TASKS_IN_FLIGHT) == 0


def test_given_a_failure_of_such_a_task_then_its_run_time_is_known(play: Stage) -> None:
    """From the start its worker told to its end."""
    play.beat(active=1)
    runs(play, ID, at=-5)
    play.jump(30)
    play.ended("failed", exception="ValueError()")
    assert play.distribution(catalogue.TASK_RUNTIME, *WHERE, "failed") == (1, 35.0)


@pytest.mark.parametrize("began", [None, 0.0, -1.0, float("nan"), float("inf"), 2.0**70])
def test_given_no_time_of_its_start_then_it_runs_since_unknown(
    play: Stage, began: float | None
) -> None:
    """A time that cannot be is none."""
    play.beat(active=1)
    play.answer(
        active=(poll_results.ActiveTask(task_id=ID, name=TASK, queue=QUEUE, started_at=began),)
    )
    assert started(play) == 1
    assert play.children(catalogue.TASK_OLDEST_STARTED) == {}


def test_given_a_lost_start_then_a_received_task_is_running_all_the_same(play: Stage) -> None:
    """Its worker says so; the wait, which nobody measured, is not observed."""
    play.beat(active=1)
    play.sent()
    play.received()
    play.jump(10)
    runs(play, ID, at=3)
    assert play.value(catalogue.TASKS_IN_FLIGHT, *WHERE, "received") == 0
    assert started(play) == 1
    assert play.children(catalogue.TASK_OLDEST_STARTED) == {WHERE: EPOCH + 3}
    assert play.distribution(catalogue.TASK_QUEUE_WAIT, *WHERE) == (0, 0.0)


def test_given_a_long_task_then_it_outlives_its_ttl_while_it_is_named() -> None:
    """A task that really runs is never dropped; unnamed, it expires."""
    play = Stage(schema.Config(tasks=schema.Tasks(ttl=schema.Seconds(HOUR))))
    start(play)
    for _ in range(10):
        play.beat(active=1)
        runs(play, ID)
        play.pass_time(HOUR / 2, step=30, listening=False)
    assert started(play) == 1
    play.pass_time(HOUR + 60, step=30, listening=False)
    assert play.children(catalogue.TASK_LOST) == {(*WHERE, "expired"): 1}


def test_given_a_closed_task_that_really_runs_then_it_is_reopened(play: Stage) -> None:
    """A worker that was taken for gone, and came back after all, still runs its task."""
    play.beat(active=1)
    play.answer(pool="prefork")
    start(play)
    play.pass_time(11)
    play.gone()
    play.tick()
    assert (started(play), play.total(catalogue.TASK_LOST)) == (0, 1)
    play.pass_time(20)
    play.beat(active=1)
    runs(play, ID, at=0)
    assert started(play) == 1
    assert play.children(catalogue.TASK_OLDEST_STARTED) == {WHERE: EPOCH}
    play.ended(runtime=40.0)
    assert started(play) == 0
    assert play.value(catalogue.TASK_SUCCEEDED, *WHERE) == 1


def test_given_an_end_newer_than_the_answer_then_the_task_is_not_reopened(play: Stage) -> None:
    """An answer that was under way while the task ended does not bring it back."""
    play.beat(active=1)
    start(play)
    play.ended()
    runs(play, ID)
    assert started(play) == 0


def test_given_a_task_that_runs_elsewhere_than_its_events_said_then_it_moves(
    play: Stage,
) -> None:
    """Delivered again, with its second start unheard: it runs where it is named, and only there."""
    play.beat(active=1)
    play.beat(OTHER, active=1)
    start(play)
    runs(play, ID, hostname=OTHER, at=2)
    assert play.worker(WORKER).running == {}
    assert set(play.worker(OTHER).running) == {ID}
    assert started(play) == 1
    assert play.children(catalogue.TASK_OLDEST_STARTED) == {WHERE: EPOCH + 2}
    for _ in range(3):
        play.jump(30)
        runs(play)
    assert started(play) == 1


def test_given_a_fresh_start_elsewhere_then_the_older_answer_does_not_take_it_back(
    play: Stage,
) -> None:
    """The events of the second delivery are newer than the answer of the first worker."""
    play.beat(active=1)
    play.beat(OTHER, active=1)
    start(play)
    play.received(hostname=OTHER)
    play.started(hostname=OTHER)
    runs(play, ID, hostname=WORKER)
    assert set(play.worker(OTHER).running) == {ID}
    assert play.worker(WORKER).running == {}


def test_given_a_retry_awaited_when_its_attempt_still_runs_then_it_runs(play: Stage) -> None:
    """A record that awaits its next attempt is moved, its counts with it."""
    play.beat(active=1)
    start(play)
    play.ended("retried", exception="Retry()")
    play.jump(10)
    runs(play, ID)
    assert play.record().state == task_series.STARTED
    assert play.total(catalogue.TASKS_IN_FLIGHT) == 1


def test_given_a_full_table_then_a_task_that_runs_is_still_taken_in() -> None:
    """The oldest record makes room, counted as an eviction."""
    play = Stage(schema.Config(tasks=schema.Tasks(max_records=2)))
    play.beat(active=2)
    start(play, "1")
    start(play, "2")
    runs(play, "1", "2", "3")
    assert len(play.fleet.records.by_id) == 2
    assert len(play.worker().running) == started(play) == 2
    assert play.value(catalogue.TRACKER_EVICTIONS, "capacity") >= 1


def test_given_a_task_of_unknown_queue_then_its_workers_queue_is_taken(play: Stage) -> None:
    """Where the delivery does not tell the queue, the worker's only one does."""
    play.beat(active=1)
    play.answer(queues=("sms",), active=(poll_results.ActiveTask(task_id=ID, name=TASK),))
    assert play.value(catalogue.TASKS_IN_FLIGHT, TASK, "sms", "started") == 1


@pytest.mark.parametrize("is_sent", [True, False])
def test_given_an_answer_that_overtakes_the_events_then_the_wait_is_observed_once(
    is_sent: bool, play: Stage
) -> None:
    """The worker says it runs, and only then do received and started arrive."""
    play.beat(active=1)
    if is_sent:
        play.sent(at=-30)
    play.jump(worker_replies.MARGIN + 1)
    runs(play, ID, at=0.0)
    play.received(at=-2)
    play.started(at=0)
    play.ended(at=1)
    queue = play.record().series.queue_name
    assert play.distribution(catalogue.TASK_PREFETCH_WAIT, queue) == (1, 2.0)
