"""Heartbeats tell more than life: whether task events flow, how clocks differ, how late we hear."""

from __future__ import annotations

import pytest

from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import WORKER, Stage


def enabled(play: Stage) -> int | None:
    """Return what celery_worker_events_enabled says; None where it is absent."""
    found = play.value(catalogue.WORKER_EVENTS_ENABLED, WORKER)
    return None if found is None else int(found)


def test_given_an_idle_worker_then_whether_it_sends_events_is_unknown(play: Stage) -> None:
    """A worker that does nothing shows neither."""
    for _ in range(5):
        play.beat(processed=10)
        play.pass_time(2)
    assert enabled(play) is None


def test_given_task_events_then_they_are_enabled(play: Stage) -> None:
    """One task event is proof."""
    play.beat()
    play.received()
    play.pass_time(2)
    play.beat(processed=1)
    assert enabled(play) == 1


def test_given_progress_without_events_for_two_beats_then_they_are_disabled(play: Stage) -> None:
    """Tasks are processed and none is heard of: events are off."""
    play.beat(processed=10)
    play.pass_time(2)
    play.beat(processed=11)
    assert enabled(play) is None
    play.pass_time(2)
    play.beat(processed=11)
    assert enabled(play) == 0


def test_given_a_beat_that_overtakes_its_events_then_nothing_flaps(play: Stage) -> None:
    """Task events are batched and come right behind a heartbeat that counts them already."""
    for count in range(1, 10):
        play.beat(processed=count)
        play.jump(0.01)
        play.started(str(count))
        play.ended(uuid=str(count))
        play.pass_time(2)
        assert enabled(play) in {None, 1}
    assert enabled(play) == 1


def test_given_disabled_events_when_they_come_then_they_are_enabled(play: Stage) -> None:
    """Switching events on, with -E or by a command, shows with the next heartbeat."""
    for count in range(1, 4):
        play.beat(processed=count)
        play.pass_time(2)
    assert enabled(play) == 0
    play.received()
    play.pass_time(1)
    play.beat(processed=4)
    assert enabled(play) == 1


def test_given_a_restart_then_whether_events_are_enabled_is_unknown_again(play: Stage) -> None:
    """The new process may have been started without -E."""
    play.received()
    play.beat(pid=7, processed=1)
    play.pass_time(2)
    play.beat(pid=7, processed=2)
    assert enabled(play) is not None
    play.online(pid=8)
    assert enabled(play) is None


@pytest.mark.parametrize("skew", [-5.0, 0.0, 19800.0])
def test_given_a_clock_that_differs_then_the_least_delay_is_its_skew(
    play: Stage, skew: float
) -> None:
    """The skew is estimated as the least of receipt less timestamp."""
    for delay in (0.3, 0.1, 0.9):
        play.beat(at=play.wall - 1_700_000_000.0 - delay - skew)
        play.pass_time(2)
    assert play.value(catalogue.WORKER_CLOCK_SKEW, WORKER) == pytest.approx(skew + 0.1)


def test_given_a_corrected_clock_then_the_estimate_follows(play: Stage) -> None:
    """Old delays leave the window."""
    play.beat(at=play.wall - 1_700_000_000.0 + 50)
    for _ in range(64):
        play.pass_time(2)
        play.beat()
    assert play.value(catalogue.WORKER_CLOCK_SKEW, WORKER) == 0.0


def test_given_late_heartbeats_then_the_lag_is_the_worst_less_the_skew(play: Stage) -> None:
    """Lag is how late events come, whatever the worker's clock says."""
    for delay in (100.0, 104.0, 100.5):
        play.beat(at=play.wall - 1_700_000_000.0 - delay)
        play.pass_time(0.2)
    assert play.value(catalogue.EVENT_LAG) == 4.0


def test_given_half_a_minute_without_lag_then_it_is_over(play: Stage) -> None:
    """The lag is the worst of the last 30 s, and absent when nothing came."""
    play.beat()
    play.beat(at=play.wall - 1_700_000_000.0 - 9)
    play.pass_time(20)
    play.beat()
    assert play.value(catalogue.EVENT_LAG) == 9.0
    play.pass_time(15)
    assert play.value(catalogue.EVENT_LAG) == 0.0
    play.pass_time(20)
    assert play.value(catalogue.EVENT_LAG) is None


def test_given_a_heartbeat_without_time_then_it_tells_no_skew(play: Stage) -> None:
    """A missing timestamp is not a clock that is half a century behind."""
    play.hear("worker-heartbeat", timestamp=0.0, hostname=WORKER, pid=7)
    assert play.children(catalogue.WORKER_CLOCK_SKEW) == {}


def test_given_a_heartbeat_then_its_time_is_ours(play: Stage) -> None:
    """The time of the last heartbeat is when we received it."""
    play.jump(7)
    play.beat(at=-3600)
    assert play.value(catalogue.WORKER_LAST_HEARTBEAT, WORKER) == 1_700_000_007.0


def test_given_events_of_the_same_moment_as_a_heartbeat_then_they_explain_the_next(
    play: Stage,
) -> None:
    """What was read at once has one time; the events behind the heartbeat count for the next."""
    play.beat(processed=0)
    for uuid in ("1", "2"):
        play.jump(2)
        play.received(uuid)
        play.started(uuid)
        play.beat(processed=2 * int(uuid) - 1)
        play.received(f"{uuid}b")
        play.started(f"{uuid}b")
    play.jump(2)
    play.beat(processed=4)
    assert enabled(play) == 1
    assert not play.worker().unexplained_progress
