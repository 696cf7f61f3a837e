"""A goodbye holds until the worker does something after it, whatever its clock says."""

from __future__ import annotations

import pytest

from celery_sentinel.config import schema
from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import ID, QUEUE, TASK, WORKER, Stage

WHERE = (TASK, QUEUE)
FUTURE = [120.0, 3600.0, 1e18, 1e300, float("inf")]


def up(play: Stage) -> int | None:
    """Return what celery_worker_up says; None where it is absent."""
    found = play.value(catalogue.WORKER_UP, WORKER)
    return None if found is None else int(found)


def run(play: Stage, *ids: str) -> None:
    """Play tasks up to their start."""
    for uuid in ids:
        play.sent(uuid)
        play.received(uuid)
        play.started(uuid)


# --- clocks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", FUTURE)
@pytest.mark.parametrize("hello", [True, False])
def test_given_a_goodbye_from_the_future_when_it_beats_then_it_is_up(
    play: Stage, ahead: float, hello: bool
) -> None:
    """A container said it on a node whose clock was wrong, and came back on another."""
    play.online(pid=1)
    play.beat(pid=1)
    play.offline(pid=1, at=ahead)
    assert up(play) is None
    play.pass_time(5)
    if hello:
        play.online(pid=1)
        assert up(play) == 1
    play.beat(pid=1)
    assert up(play) == 1


@pytest.mark.parametrize("ahead", FUTURE)
def test_given_a_hello_from_the_future_then_its_goodbye_counts(play: Stage, ahead: float) -> None:
    """A stale goodbye is one that is older than a hello with a time."""
    play.online(at=ahead)
    play.pass_time(2)
    play.online()
    play.pass_time(2)
    play.offline()
    assert up(play) is None
    assert play.value(catalogue.WORKER_LOST) == 0


@pytest.mark.parametrize("at", [1e18, 1e300, -1e300, float("nan"), float("inf")])
def test_given_a_time_that_is_none_then_there_is_no_skew_and_no_lag(play: Stage, at: float) -> None:
    """Clocks do not differ by more than a day."""
    play.beat(at=at)
    play.online(at=at)
    assert play.children(catalogue.WORKER_CLOCK_SKEW) == {}
    assert play.fleet.workers.lag() is None
    assert up(play) == 1


# --- its last tasks --------------------------------------------------------------------------


@pytest.mark.parametrize("running", [1, 2])
def test_given_a_busy_goodbye_when_nothing_follows_then_its_tasks_are_given_up(
    play: Stage, running: int
) -> None:
    """Its supervisor lost its patience, and its successor has another name."""
    ids = [f"t{number}" for number in range(running)]
    play.beat(active=0)
    run(play, *ids)
    play.offline(active=running)
    play.pass_time(290)
    assert play.children(catalogue.TASK_LOST) == {}
    play.pass_time(20)
    assert play.children(catalogue.TASK_LOST) == {(*WHERE, "worker_left"): running}
    assert play.total(catalogue.TASKS_IN_FLIGHT) == 0
    assert play.value(catalogue.WORKER_LOST) == 0


def test_given_ends_after_a_goodbye_then_each_gives_the_others_time(play: Stage) -> None:
    """It lives, so the wait begins anew."""
    play.beat()
    run(play, "a", "b", "c")
    play.offline(active=3)
    for uuid in ("a", "b", "c"):
        play.pass_time(250)
        play.ended(uuid=uuid)
    play.pass_time(400)
    assert play.children(catalogue.TASK_LOST) == {}
    assert play.value(catalogue.TASK_SUCCEEDED, *WHERE) == 3


def test_given_a_longer_shutdown_timeout_then_it_is_waited_for() -> None:
    """As long as the supervisor waits."""
    play = Stage(schema.Config(workers=schema.Workers(shutdown_timeout=schema.Seconds(3600))))
    play.beat()
    run(play, ID)
    play.offline(active=1)
    play.pass_time(3500, step=5)
    assert play.children(catalogue.TASK_LOST) == {}
    play.pass_time(200, step=5)
    assert play.children(catalogue.TASK_LOST) == {(*WHERE, "worker_left"): 1}


def test_given_a_break_of_the_stream_after_a_goodbye_then_nothing_is_given_up(play: Stage) -> None:
    """The ends may have been missed."""
    play.beat()
    run(play, ID)
    play.offline(active=1)
    play.pass_time(5)
    play.fleet.resubscribed(play.now)
    play.pass_time(1000)
    assert play.children(catalogue.TASK_LOST) == {}


def test_given_a_task_delivered_again_then_it_is_not_lost(play: Stage) -> None:
    """With acks_late another worker has it by now."""
    play.beat()
    run(play, ID)
    play.offline(active=1)
    play.pass_time(20)
    play.received(hostname="w2@host")
    play.started(hostname="w2@host")
    play.pass_time(400)
    assert play.children(catalogue.TASK_LOST) == {}
    assert play.value(catalogue.TASK_REDELIVERED, *WHERE) == 1


def test_given_runs_that_usually_last_longer_then_they_get_their_time(play: Stage) -> None:
    """A name of which a run took half an hour is not given up after five minutes."""
    play.beat()
    run(play, "before")
    play.ended(uuid="before", runtime=1800.0)
    run(play, ID)
    play.offline(active=1)
    play.pass_time(1700, step=5)
    assert play.children(catalogue.TASK_LOST) == {}
    play.pass_time(9000, step=5)
    assert play.children(catalogue.TASK_LOST) == {(*WHERE, "worker_left"): 1}
