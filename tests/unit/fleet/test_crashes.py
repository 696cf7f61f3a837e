"""A restart is a crash where the old process was heard to its end and said no goodbye."""

from __future__ import annotations

import pytest

from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import WORKER, Stage


def counts(play: Stage) -> tuple[int, int]:
    """Return what the counters of restarts and of crashes say."""
    metrics = (catalogue.WORKER_RESTARTS, catalogue.WORKER_CRASHES)
    restarts, crashes = (int(play.value(metric, WORKER)) for metric in metrics)
    return restarts, crashes


def test_given_no_restart_then_there_are_zero_crashes(play: Stage) -> None:
    """The counter is there from the first heartbeat on."""
    play.online(pid=7)
    play.beat(pid=7)
    assert counts(play) == (0, 0)


@pytest.mark.parametrize("speaks", ["beat", "online"])
def test_given_processes_replaced_without_goodbye_then_each_was_a_crash(
    play: Stage, speaks: str
) -> None:
    """A loop: it starts, dies, and is started again by its supervisor."""
    for pid in (7, 8, 9, 10):
        getattr(play, speaks)(pid=pid)
        play.beat(pid=pid)
        play.pass_time(2)
    assert counts(play) == (3, 3)


def test_given_a_silence_between_then_it_was_a_crash_too(play: Stage) -> None:
    """A supervisor that waits longer than the silence we allow: lost, then there again."""
    play.online(pid=7)
    play.answer(pool="prefork")
    play.pass_time(40)
    assert play.value(catalogue.WORKER_UP, WORKER) == 0
    play.online(pid=8)
    assert counts(play) == (1, 1)


@pytest.mark.parametrize("away", [1, 300])
def test_given_goodbyes_then_no_restart_is_a_crash(play: Stage, away: float) -> None:
    """A deployment, or a worker that an autoscaler sends home and has come again."""
    for pid in (7, 8, 9, 10):
        play.online(pid=pid)
        play.beat(pid=pid)
        play.jump(1)
        play.offline(pid=pid)
        play.pass_time(away)
    play.online(pid=11)
    assert counts(play) == (4, 0)


def test_given_one_pid_for_all_then_goodbyes_are_told_from_crashes(play: Stage) -> None:
    """In containers every process has the same pid."""
    play.online(pid=1)
    play.beat(pid=1, processed=5)
    play.jump(1)
    play.offline(pid=1)
    play.jump(1)
    play.online(pid=1, processed=0)
    assert counts(play) == (1, 0)
    play.beat(pid=1, processed=3)
    play.jump(1)
    play.online(pid=1, processed=0)
    assert counts(play) == (2, 1)


def test_given_a_break_of_the_stream_then_a_goodbye_may_have_been_missed(play: Stage) -> None:
    """A process that was not heard since we were deaf is not said to have crashed."""
    play.online(pid=7)
    play.jump(3)
    play.fleet.resubscribed(play.now)
    play.jump(1)
    play.online(pid=8)
    assert counts(play) == (1, 0)
    play.pass_time(30, listening=False)
    play.online(pid=9)
    assert counts(play) == (2, 0)
    play.jump(1)
    play.online(pid=10)
    assert counts(play) == (3, 1)


def test_given_a_count_that_fell_behind_our_back_then_no_crash_is_claimed(play: Stage) -> None:
    """Who missed the hello may have missed the goodbye."""
    play.beat(pid=1, processed=100)
    play.beat(pid=1, processed=3)
    play.beat(pid=1, processed=4)
    assert counts(play) == (1, 0)


@pytest.mark.parametrize("away", [1, 40], ids=["at once", "after it was lost"])
def test_given_one_pid_that_dies_in_its_first_task_then_each_life_is_told(
    play: Stage, away: float
) -> None:
    """A container whose first task kills it before a heartbeat has counted that task."""
    play.online(pid=1, processed=0)
    for life in range(3):
        play.beat(pid=1, processed=0)
        play.answer(pool="prefork")
        play.started(f"poison-{life}", pid=1)
        play.pass_time(away)
        play.online(pid=1, processed=0)
    assert counts(play) == (3, 3)
    assert sum(play.children(catalogue.TASK_LOST).values()) == 3


def test_given_an_idle_worker_that_says_hello_again_then_it_has_not_restarted(play: Stage) -> None:
    """It lost its broker and found it again, with tasks received and none started."""
    play.online(pid=1, processed=0)
    play.received("waiting", pid=1)
    play.pass_time(40)
    play.online(pid=1, processed=0)
    assert counts(play) == (0, 0)


def test_given_an_idle_container_that_is_killed_and_comes_back_then_each_is_a_crash(
    play: Stage,
) -> None:
    """One pid, no task: its Lamport clock begins again."""
    for life in range(5):
        play.online(pid=1, processed=0, clock=1)
        play.beat(pid=1, processed=0, clock=4)
        play.pass_time(4)
        assert counts(play) == (life, life)


def test_given_neighbours_that_lend_their_clock_then_a_hello_without_a_goodbye_is_a_crash(
    play: Stage,
) -> None:
    """The clock of a new process goes on where that of its neighbours stands."""
    for life in range(5):
        play.online(pid=1, processed=0, clock=100 * life + 1)
        play.beat(pid=1, processed=0, clock=100 * life + 4)
        play.pass_time(4)
        assert counts(play) == (life, life)


def test_given_a_worker_that_lost_its_broker_and_found_it_then_it_has_not_restarted(
    play: Stage,
) -> None:
    """It says goodbye first, and its clock goes on."""
    play.online(pid=1, processed=0, clock=1)
    play.beat(pid=1, processed=0, clock=4)
    play.jump(1)
    play.offline(pid=1, processed=0, clock=5)
    play.jump(1)
    play.online(pid=1, processed=0, clock=6)
    assert counts(play) == (0, 0)


def test_given_a_broker_that_was_away_then_a_hello_of_an_idle_worker_is_no_crash(
    play: Stage,
) -> None:
    """Its goodbye may have been lost with the broker."""
    play.online(pid=1, processed=0, clock=1)
    play.pass_time(20, listening=False)
    play.fleet.resubscribed(play.now)
    play.jump(1)
    play.online(pid=1, processed=0, clock=9)
    assert counts(play) == (0, 0)


def test_given_an_idle_container_that_is_replaced_in_order_then_it_did_not_crash(
    play: Stage,
) -> None:
    """It said goodbye; the clock of the new one tells it."""
    play.online(pid=1, processed=0, clock=1)
    play.beat(pid=1, processed=0, clock=40)
    play.jump(1)
    play.offline(pid=1, processed=0, clock=41)
    play.jump(5)
    play.online(pid=1, processed=0, clock=1)
    assert counts(play) == (1, 0)


# --- counts that cannot be -------------------------------------------------------------------


@pytest.mark.parametrize("forged", [2**62, 10**12, 2**40])
def test_given_a_count_that_cannot_be_then_it_is_not_believed(play: Stage, forged: int) -> None:
    """Anybody may write one; the worker itself says the next."""
    play.beat(processed=5)
    play.jump(1)
    play.beat(processed=forged)
    for processed in (6, 7, 8):
        play.jump(2)
        play.beat(processed=processed)
    assert play.value(catalogue.WORKER_TASKS_PROCESSED, WORKER) == 8
    assert counts(play) == (0, 0)


def test_given_a_first_count_that_cannot_be_then_the_worker_is_believed(play: Stage) -> None:
    """A forged heartbeat may come before any other."""
    play.beat(processed=2**62)
    for processed in (6, 7, 8):
        play.jump(2)
        play.beat(processed=processed)
    assert play.value(catalogue.WORKER_TASKS_PROCESSED, WORKER) == 8


def test_given_a_high_count_that_is_said_again_then_it_is_believed(play: Stage) -> None:
    """A worker of years."""
    play.beat(processed=10**11)
    play.jump(2)
    play.beat(processed=10**11 + 7)
    assert play.value(catalogue.WORKER_TASKS_PROCESSED, WORKER) == 10**11 + 7


# --- two workers with one name ---------------------------------------------------------------


def test_given_two_workers_with_one_name_then_nobody_has_crashed(play: Stage) -> None:
    """Who seemed to have been replaced is heard again; there is a metric to alert on."""
    play.online(pid=7)
    play.beat(pid=7)
    assert play.value(catalogue.WORKER_NAME_SHARED, WORKER) == 0
    play.online(pid=8)
    for _ in range(5):
        play.jump(1)
        play.beat(pid=7)
        play.jump(1)
        play.beat(pid=8)
    assert counts(play) == (1, 0)
    assert play.value(catalogue.WORKER_NAME_SHARED, WORKER) == 1


def test_given_a_namesake_that_is_replaced_then_that_is_a_restart(play: Stage) -> None:
    """It is another process than either."""
    play.beat(pid=7)
    play.beat(pid=8)
    play.beat(pid=7)
    play.jump(2)
    play.online(pid=9)
    play.beat(pid=9)
    assert counts(play) == (2, 1)


def test_given_two_workers_with_one_name_then_their_slots_are_those_of_both_or_unknown(
    play: Stage,
) -> None:
    """What one of them says is too little; an answer that came late changes nothing."""
    for _ in range(2):
        play.beat(pid=7)
        play.beat(pid=8)
    play.answer(pid=8, concurrency=2)
    assert play.value(catalogue.WORKER_CONCURRENCY, WORKER) is None
    play.answer(pid=8, concurrency=4, answers=2)
    play.answer(pid=8, concurrency=2)
    assert play.value(catalogue.WORKER_CONCURRENCY, WORKER) == 4
