"""One node name may be several processes, one after the other or, by mistake, at once."""

from __future__ import annotations

import pytest

from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import WORKER, Stage


def restarts(play: Stage) -> int:
    """Return what celery_worker_restarts_total says."""
    return int(play.value(catalogue.WORKER_RESTARTS, WORKER))


def processed(play: Stage) -> int:
    """Return what celery_worker_tasks_processed_total says."""
    return int(play.value(catalogue.WORKER_TASKS_PROCESSED, WORKER))


@pytest.mark.parametrize("speaks", ["beat", "online"])
def test_given_a_new_pid_then_the_worker_has_restarted(play: Stage, speaks: str) -> None:
    """A restart is a new process id under the same node name, whichever event tells it."""
    play.online(pid=7)
    getattr(play, speaks)(pid=8)
    play.beat(pid=8)
    assert restarts(play) == 1
    assert not play.worker().duplicate


def test_given_the_same_pid_when_its_count_starts_again_then_it_has_restarted(play: Stage) -> None:
    """In containers every process has the same pid: the hello of a fresh count is a restart."""
    play.beat(pid=1, processed=5)
    play.online(pid=1, processed=0)
    assert restarts(play) == 1


def test_given_an_earlier_pid_when_its_count_starts_again_then_it_has_restarted(
    play: Stage,
) -> None:
    """Pids come round: the hello of a fresh count is a restart, not a namesake."""
    play.beat(pid=7, processed=5)
    play.beat(pid=8, processed=3)
    play.online(pid=7, processed=0)
    assert restarts(play) == 2
    assert not play.worker().duplicate


def test_given_a_reconnect_when_it_says_hello_again_then_it_has_not_restarted(play: Stage) -> None:
    """A worker that finds its broker again says hello with the count it had."""
    play.online(at=0)
    play.beat(processed=5)
    play.online(at=100, processed=5)
    assert restarts(play) == 0
    assert play.value(catalogue.WORKER_START, WORKER) == 1_700_000_000.0


def test_given_a_missed_hello_when_the_count_is_lower_twice_then_it_has_restarted(
    play: Stage,
) -> None:
    """A restart behind our back shows as a count that stays below what it was."""
    play.beat(pid=1, processed=100)
    play.beat(pid=1, processed=3)
    assert restarts(play) == 0
    play.beat(pid=1, processed=4)
    assert restarts(play) == 1
    assert processed(play) == 104


def test_given_a_restart_then_its_start_is_known_only_from_its_hello(play: Stage) -> None:
    """When a process started that we never heard say hello is unknown, hence absent."""
    play.online(at=0, pid=7)
    play.beat(at=100, pid=8)
    assert play.children(catalogue.WORKER_START) == {}
    play.online(at=200, pid=9)
    assert play.value(catalogue.WORKER_START, WORKER) == 1_700_000_200.0


def test_given_a_worker_that_was_there_before_us_then_its_start_is_unknown(play: Stage) -> None:
    """A heartbeat, or the hello of a process that has worked already, tells no start."""
    play.beat(processed=10)
    play.online(processed=10)
    assert play.children(catalogue.WORKER_START) == {}


def test_given_restarts_then_the_processed_count_goes_on(play: Stage) -> None:
    """The counter is monotonic over restarts and adds what each process did."""
    for pid, counts in ((7, (10, 15)), (8, (0, 4)), (9, (2,))):
        for count in counts:
            play.beat(pid=pid, processed=count)
    assert processed(play) == 15 + 4 + 2


@pytest.mark.parametrize("count", [-1, 2**63])
def test_given_an_absurd_count_then_it_is_not_added(play: Stage, count: int) -> None:
    """A count that cannot be leaves the counter as it is."""
    play.beat(processed=5)
    play.beat(processed=count)
    assert processed(play) == 5


def test_given_two_pids_that_alternate_then_they_are_namesakes_and_do_not_restart(
    play: Stage,
) -> None:
    """Two workers with one node name are a mistake to be told, not a storm of restarts."""
    for count in range(1, 6):
        play.beat(pid=7, processed=count)
        play.beat(pid=8, processed=100 + count)
    assert play.worker().duplicate
    assert restarts(play) == 1
    assert processed(play) == 5 + 105


def test_given_two_processes_with_one_pid_then_their_counts_are_not_added_up(play: Stage) -> None:
    """Counts that go up and down are two containers' with one pid: known as such."""
    for count in range(5):
        play.beat(pid=1, processed=100 + count)
        play.beat(pid=1, processed=5)
    assert play.worker().duplicate
    assert restarts(play) == 0
    assert processed(play) == 104


@pytest.mark.parametrize("leaving", [7, 8])
def test_given_namesakes_when_one_says_goodbye_then_the_other_is_up_and_alone(
    play: Stage, leaving: int
) -> None:
    """In a rolling restart two share a name for a while, and the mistake is over by itself."""
    for _ in range(2):
        play.beat(pid=7)
        play.beat(pid=8)
    play.jump(1)
    play.offline(pid=leaving)
    play.jump(1)
    play.beat(pid=15 - leaving)
    play.beat(pid=15 - leaving)
    assert play.value(catalogue.WORKER_UP, WORKER) == 1
    assert not play.worker().duplicate


def test_given_many_restarts_then_no_more_than_a_few_pids_are_remembered(play: Stage) -> None:
    """A worker that restarts for ever does not grow."""
    for pid in range(1, 200):
        play.beat(pid=pid, processed=1)
    assert restarts(play) == 198
    assert processed(play) == 199
    assert len(play.worker().processed_by_pid) <= 8


def test_given_a_pid_that_is_none_then_the_worker_is_heard_all_the_same(play: Stage) -> None:
    """An event without a pid is a sign of life, and no restart."""
    play.beat(pid=7)
    play.beat(pid=None)
    assert restarts(play) == 0
    assert play.value(catalogue.WORKER_UP, WORKER) == 1


def test_given_software_then_its_version_is_that_of_the_newest_process(play: Stage) -> None:
    """An upgraded worker has one info, of what it runs now."""
    play.online(pid=7, sw_ver="5.4.0", sw_sys="Linux")
    play.online(pid=8, sw_ver="5.5.0", sw_sys="Linux")
    assert play.children(catalogue.WORKER_INFO) == {(WORKER, "5.5.0", "Linux", "unknown"): 1}


@pytest.mark.parametrize(
    ("loadavg", "expected"),
    [([0.5, 1.5, 2.5], {"1m": 0.5, "5m": 1.5, "15m": 2.5}), ([0.5], {}), (None, {})],
)
def test_given_a_load_average_then_it_shows_by_window(
    play: Stage, loadavg: list[float] | None, expected: dict[str, float]
) -> None:
    """Three numbers are 1, 5 and 15 minutes; anything else is none."""
    play.beat(loadavg=loadavg)
    found = play.children(catalogue.WORKER_LOAD_AVERAGE)
    assert {labels[1]: value for labels, value in found.items()} == expected


@pytest.mark.parametrize(("active", "expected"), [(0, 0), (3, 3), (-1, None), (2**63, None)])
def test_given_active_tasks_then_they_show_where_they_can_be(
    play: Stage, active: int, expected: int | None
) -> None:
    """A number that cannot be is unknown."""
    play.beat(active=active)
    assert play.value(catalogue.WORKER_TASKS_ACTIVE, WORKER) == expected
