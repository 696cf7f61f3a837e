"""A worker is up while we hear it, lost when it falls silent, and gone when it said goodbye."""

from __future__ import annotations

import pytest

from celery_sentinel.config import schema
from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import WORKER, Stage


def up(play: Stage, hostname: str = WORKER) -> int | None:
    """Return what celery_worker_up says; None where it is absent."""
    found = play.value(catalogue.WORKER_UP, hostname)
    return None if found is None else int(found)


@pytest.mark.parametrize("skew", [0.0, -86400.0, 86400.0])
def test_given_heartbeats_when_they_stop_then_the_worker_is_lost_by_our_clock(
    play: Stage, skew: float
) -> None:
    """Receipt counts, not the worker's clock: up for 10 s after the last heartbeat, then lost."""
    for beat in range(3):
        play.beat(at=2 * beat + skew)
        play.answer(pool="prefork")
        play.pass_time(2)
    play.pass_time(7.5)
    assert up(play) == 1
    play.pass_time(1)
    assert up(play) == 0
    assert play.value(catalogue.WORKER_LOST) == 1


def test_given_a_long_interval_when_silent_then_three_of_it_are_waited(play: Stage) -> None:
    """The patience is three of the announced intervals where that is more than 10 s."""
    play.beat(freq=30.0)
    play.answer(pool="prefork")
    play.pass_time(89)
    assert up(play) == 1
    play.pass_time(2)
    assert up(play) == 0


@pytest.mark.parametrize("freq", [0.0, -1.0, 1e9, None])
def test_given_an_absurd_interval_then_it_is_not_believed(play: Stage, freq: float | None) -> None:
    """An interval that cannot be is taken for the default."""
    play.beat(freq=freq)
    play.answer(pool="prefork")
    play.pass_time(11)
    assert up(play) == 0


def test_given_the_answer_to_a_command_then_it_says_alive_and_nothing_else(play: Stage) -> None:
    """The reply to the control command has freq 5 and no counts: both stay as they were."""
    play.beat(active=3, processed=40)
    play.pass_time(8)
    play.beat(freq=5, active=None, processed=None)
    play.pass_time(8)
    assert up(play) == 1
    assert play.worker().interval == 2.0
    assert play.value(catalogue.WORKER_TASKS_ACTIVE, WORKER) == 3
    assert play.value(catalogue.WORKER_TASKS_PROCESSED, WORKER) == 40


def test_given_task_events_without_heartbeats_then_they_prove_life(play: Stage) -> None:
    """Any event of a worker is a sign of life."""
    play.beat()
    for n in range(5):
        play.pass_time(8)
        play.received(str(n))
    assert up(play) == 1


def test_given_no_heartbeat_ever_then_up_is_absent(play: Stage) -> None:
    """Of a worker that sends task events only, silence proves nothing."""
    play.received()
    assert up(play) is None
    play.pass_time(600, step=2)
    assert up(play) is None
    assert play.value(catalogue.WORKER_LOST) == 0


def test_given_two_workers_on_one_host_when_one_is_silent_then_the_other_stays_up(
    play: Stage,
) -> None:
    """The label is the whole node name."""
    play.beat("w1@host")
    play.answer("w1@host", pool="threads")
    for _ in range(6):
        play.beat("w2@host")
        play.pass_time(2)
    assert play.children(catalogue.WORKER_UP) == {("w1@host",): 0, ("w2@host",): 1}


def test_given_a_goodbye_then_the_worker_leaves_at_once_and_is_not_lost(play: Stage) -> None:
    """Autoscaling is silent: no metric of that worker stays behind, and no loss is counted."""
    play.online(loadavg=[1.0, 2.0, 3.0], sw_ver="5.5.0", sw_sys="Linux")
    play.beat()
    play.jump(1)
    play.offline()
    for metric in catalogue.METRICS:
        if metric.group == "workers" and metric.labels:
            assert play.children(metric) == {}, metric.name
    play.pass_time(60)
    assert play.value(catalogue.WORKER_LOST) == 0


def test_given_a_goodbye_when_task_events_follow_then_it_stays_gone(play: Stage) -> None:
    """In a warm shutdown the last tasks end after the goodbye."""
    play.beat()
    play.started()
    play.jump(1)
    play.offline()
    play.jump(5)
    play.ended()
    play.pass_time(60)
    assert up(play) is None


def test_given_a_goodbye_when_an_older_heartbeat_comes_then_it_stays_gone(play: Stage) -> None:
    """Only what the worker wrote after its goodbye brings it back."""
    play.beat(at=0)
    play.offline(at=5)
    play.beat(at=4)
    assert up(play) is None
    play.online(at=4)
    assert up(play) is None
    play.beat(at=6)
    assert up(play) == 1


def test_given_a_goodbye_when_a_new_process_speaks_then_the_worker_is_up(play: Stage) -> None:
    """Another process of that name is not bound by the goodbye, whatever its clock says."""
    play.beat(at=0, pid=7)
    play.offline(at=5, pid=7)
    play.online(at=3, pid=8)
    assert up(play) == 1


def test_given_a_stale_goodbye_when_the_worker_comes_back_then_it_is_up(play: Stage) -> None:
    """After a broker restart the buffered goodbye comes right before the next hello."""
    play.beat(at=0)
    play.jump(20)
    play.offline(at=1)
    play.online(at=20)
    assert up(play) == 1
    assert play.value(catalogue.WORKER_RESTARTS, WORKER) == 0


def test_given_a_stale_goodbye_after_its_hello_then_the_worker_stays_up(play: Stage) -> None:
    """A goodbye older than the last hello is out of date."""
    play.online(at=20)
    play.offline(at=1)
    assert up(play) == 1


def test_given_the_goodbye_of_an_old_process_then_the_new_one_stays_up(play: Stage) -> None:
    """In a rolling restart the old process may leave after the new one has come."""
    play.beat(pid=7)
    play.online(pid=8)
    play.jump(1)
    play.offline(pid=7)
    assert up(play) == 1


def test_given_a_goodbye_of_a_worker_never_heard_then_it_is_not_shown(play: Stage) -> None:
    """A worker that leaves as we arrive was never there."""
    play.offline()
    play.pass_time(60)
    assert up(play) is None


def test_given_a_lost_worker_when_it_is_heard_again_then_it_is_up(play: Stage) -> None:
    """A worker that was suspended comes back; the loss stays counted."""
    play.beat()
    play.answer(pool="prefork")
    play.pass_time(20)
    assert up(play) == 0
    play.beat()
    assert up(play) == 1
    assert play.value(catalogue.WORKER_LOST) == 1
    assert play.value(catalogue.WORKER_RESTARTS, WORKER) == 0


def test_given_a_lost_worker_then_it_shows_no_active_tasks(play: Stage) -> None:
    """What a dead worker is running is nothing that is known."""
    play.beat(active=3)
    play.pass_time(20)
    assert play.children(catalogue.WORKER_TASKS_ACTIVE) == {}


def test_given_a_lost_worker_then_its_zero_is_kept_until_it_is_forgotten() -> None:
    """The 0 lasts longer than any alert waits, then the worker is forgotten."""
    config = schema.Config(workers=schema.Workers(forget_after=schema.Seconds(3600)))
    play = Stage(config)
    play.beat()
    play.answer(pool="prefork")
    play.pass_time(3590, step=5)
    assert up(play) == 0
    play.pass_time(20, step=5)
    assert up(play) is None
    assert list(play.fleet.workers) == []
    assert play.value(catalogue.WORKER_LOST) == 1


def test_given_our_own_stall_when_we_wake_then_nobody_is_lost_for_it(play: Stage) -> None:
    """While we were suspended it was we who could not hear."""
    play.beat()
    play.answer(pool="prefork")
    play.pass_time(2)
    play.jump(300)
    play.tick()
    assert up(play) == 1
    play.pass_time(5)
    assert up(play) == 1
    play.pass_time(6)
    assert up(play) == 0


def test_given_our_own_stall_then_it_does_not_make_a_task_event_heard(play: Stage) -> None:
    """What is forgiven is silence; no event is made up of it."""
    play.beat(processed=1)
    play.tick()
    play.jump(300)
    play.tick()
    play.beat(processed=1)
    assert play.value(catalogue.WORKER_EVENTS_ENABLED, WORKER) is None


def test_given_our_own_stall_then_no_worker_is_heard_in_the_future(play: Stage) -> None:
    """A worker heard at the end of a stall is not excused for the time before."""
    play.tick()
    play.jump(300)
    play.beat()
    play.answer(pool="prefork")
    play.tick()
    play.pass_time(11)
    assert up(play) == 0


def test_given_a_broker_outage_then_workers_are_unheard_and_not_lost(play: Stage) -> None:
    """While there is no broker, silence proves nothing: up is absent rather than 0."""
    play.beat()
    play.pass_time(60, listening=False)
    assert up(play) is None
    assert play.value(catalogue.WORKER_LOST) == 0


def test_given_a_broker_outage_when_it_ends_then_workers_get_time_to_return(play: Stage) -> None:
    """Workers find their broker again in their own time; who does not come is lost."""
    play.beat("w1@a")
    play.beat("w2@a")
    play.answer("w2@a", pool="gevent")
    play.pass_time(60, listening=False)
    play.fleet.resubscribed(play.now)
    play.pass_time(5)
    play.beat("w1@a")
    assert play.children(catalogue.WORKER_UP) == {("w1@a",): 1}
    for _ in range(40):
        play.pass_time(2)
        play.beat("w1@a")
    assert play.children(catalogue.WORKER_UP) == {("w1@a",): 1, ("w2@a",): 0}
    assert play.value(catalogue.WORKER_LOST) == 1


def test_given_a_hello_when_no_heartbeat_follows_then_it_may_be_at_work(play: Stage) -> None:
    """It may be of the pool solo, and have found a task when it came."""
    play.online()
    play.pass_time(9)
    assert up(play) == 1
    play.pass_time(3600, step=5)
    assert up(play) is None
    assert play.value(catalogue.WORKER_LOST) == 0


def test_given_a_hello_with_a_long_interval_then_its_first_heartbeat_is_awaited(
    play: Stage,
) -> None:
    """The hello announces the interval, too."""
    play.online(freq=30.0)
    play.pass_time(80)
    assert up(play) == 1
