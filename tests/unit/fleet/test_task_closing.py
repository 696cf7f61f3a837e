"""A task whose end is never heard does not run for ever, and is called lost only when it is."""

from __future__ import annotations

from celery_sentinel.config import schema
from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import ID, QUEUE, TASK, Stage

WHERE = (TASK, QUEUE)
HOUR = 3600.0
DAY = 24 * HOUR


def run(play: Stage, uuid: str = ID) -> None:
    """Play a task up to its start."""
    play.sent(uuid)
    play.received(uuid)
    play.started(uuid)


def test_given_ignore_when_its_worker_is_idle_twice_then_it_is_closed_quietly(play: Stage) -> None:
    """Ignore has no closing event: two heartbeats without active tasks end it, not as lost."""
    play.beat(active=0)
    run(play)
    play.pass_time(2)
    play.beat(active=0)
    assert play.value(catalogue.TASKS_IN_FLIGHT, *WHERE, "started") == 1
    play.pass_time(2)
    play.beat(active=0)
    assert play.total(catalogue.TASKS_IN_FLIGHT) == 0
    assert play.worker().running == {}
    assert play.children(catalogue.TASK_LOST) == {}


def test_given_a_worker_that_is_always_idle_when_heard_then_each_ignore_is_closed(
    play: Stage,
) -> None:
    """Short tasks never show in a heartbeat: each is judged by the two beats after its start."""
    for n in range(5):
        play.beat(active=0)
        run(play, str(n))
        play.pass_time(2)
    for _ in range(2):
        play.beat(active=0)
        play.pass_time(2)
    assert play.total(catalogue.TASKS_IN_FLIGHT) == 0


def test_given_a_busy_worker_then_what_runs_there_is_not_closed(play: Stage) -> None:
    """A heartbeat with active tasks in between starts the judgement afresh."""
    run(play)
    for active in (0, 1, 0, 1, 0):
        play.beat(active=active)
        play.pass_time(2)
    assert play.value(catalogue.TASKS_IN_FLIGHT, *WHERE, "started") == 1


def test_given_a_task_that_started_between_idle_beats_then_it_gets_a_second_beat(
    play: Stage,
) -> None:
    """A start just before an idle heartbeat may have its end right behind it."""
    play.beat(active=0)
    play.pass_time(2)
    run(play)
    play.beat(active=0)
    assert play.value(catalogue.TASKS_IN_FLIGHT, *WHERE, "started") == 1


def test_given_two_workers_with_one_name_then_the_idle_one_closes_nothing(play: Stage) -> None:
    """What runs on a namesake is not judged by the idleness of the other."""
    for _ in range(2):
        play.beat(pid=7, active=0)
        play.beat(pid=8, active=1)
    run(play)
    for _ in range(3):
        play.pass_time(2)
        play.beat(pid=7, active=0)
    assert play.value(catalogue.TASKS_IN_FLIGHT, *WHERE, "started") == 1


def test_given_a_running_task_when_its_worker_is_lost_then_it_is_lost(play: Stage) -> None:
    """What ran in a process that is no more will not be heard of again; silence is no proof."""
    play.beat()
    play.answer(pool="prefork")
    run(play)
    play.received("prefetched")
    play.pass_time(11)
    assert play.children(catalogue.TASK_LOST) == {}
    play.gone()
    play.tick()
    assert play.children(catalogue.TASK_LOST) == {(*WHERE, "worker_lost"): 1}
    assert play.value(catalogue.TASKS_IN_FLIGHT, *WHERE, "started") == 0
    assert play.value(catalogue.TASKS_IN_FLIGHT, *WHERE, "received") == 1


def test_given_a_restart_when_tasks_ran_in_the_old_process_then_they_are_lost(
    play: Stage,
) -> None:
    """A new pid under the name means that the old process is gone, and its tasks with it."""
    play.beat(pid=7)
    run(play)
    play.online(pid=8)
    assert play.children(catalogue.TASK_LOST) == {(*WHERE, "worker_lost"): 1}


def test_given_ignore_when_its_worker_left_idle_then_it_is_closed_quietly(play: Stage) -> None:
    """A goodbye of a worker that runs nothing ends what it had started, soon and not as lost."""
    play.beat(active=0)
    run(play)
    play.offline(active=0)
    play.pass_time(10)
    assert play.value(catalogue.TASKS_IN_FLIGHT, *WHERE, "started") == 0
    assert play.children(catalogue.TASK_LOST) == {}


def test_given_ignore_when_its_worker_left_idle_and_is_back_at_once_then_it_is_not_lost(
    play: Stage,
) -> None:
    """The next process of that name takes no blame for what had ended before it."""
    play.beat(active=0)
    run(play)
    play.offline(active=0)
    play.pass_time(1)
    play.online(pid=8)
    assert play.value(catalogue.TASKS_IN_FLIGHT, *WHERE, "started") == 0
    assert play.children(catalogue.TASK_LOST) == {}


def test_given_an_idle_goodbye_when_a_reserved_task_starts_after_it_then_its_end_is_awaited(
    play: Stage,
) -> None:
    """A pool runs what it holds before it stops: that is in flight, and has its run time."""
    play.beat(active=0)
    play.offline(active=0)
    play.pass_time(1)
    run(play)
    play.pass_time(60)
    assert play.value(catalogue.TASKS_IN_FLIGHT, *WHERE, "started") == 1


def test_given_an_idle_goodbye_when_an_end_comes_late_then_it_is_measured(play: Stage) -> None:
    """The last batch of events may come after the goodbye: a failure in it has its run time."""
    play.beat(active=0)
    run(play)
    play.pass_time(1)
    play.offline(active=0)
    play.ended("failed", exception="ValueError('x')")
    play.pass_time(10)
    assert play.distribution(catalogue.TASK_RUNTIME, *WHERE, "failed")[0] == 1


def test_given_a_goodbye_when_a_task_still_runs_then_its_end_is_awaited(play: Stage) -> None:
    """In a warm shutdown the goodbye comes first and the ends of the last tasks after it."""
    play.beat()
    run(play)
    play.offline()
    play.pass_time(600, step=5)
    play.ended(runtime=600.0)
    assert play.children(catalogue.TASK_LOST) == {}
    assert play.value(catalogue.TASK_SUCCEEDED, *WHERE) == 1


def test_given_a_lost_task_when_its_end_comes_after_all_then_both_are_counted(
    play: Stage,
) -> None:
    """An end that comes late counts; the task is not in flight again."""
    play.beat()
    play.answer(pool="prefork")
    run(play)
    play.pass_time(11)
    play.gone()
    play.tick()
    assert play.total(catalogue.TASK_LOST) == 1
    play.ended()
    assert play.value(catalogue.TASK_SUCCEEDED, *WHERE) == 1
    assert play.total(catalogue.TASKS_IN_FLIGHT) == 0


def test_given_a_task_that_is_never_heard_of_again_then_it_expires_after_its_ttl() -> None:
    """Received or running and silent for tasks.ttl: lost, expired."""
    play = Stage(schema.Config(tasks=schema.Tasks(ttl=schema.Seconds(HOUR))))
    play.received("a")
    run(play, "b")
    play.pass_time(HOUR - 60, step=30)
    assert play.children(catalogue.TASK_LOST) == {}
    play.pass_time(120, step=30)
    assert play.total(catalogue.TASK_LOST) == 2
    assert play.value(catalogue.TASK_LOST, *WHERE, "expired") == 1
    assert play.value(catalogue.TRACKER_EVICTIONS, "ttl") == 2
    assert play.value(catalogue.TRACKER_TASKS) == 0
    assert play.total(catalogue.TASKS_IN_FLIGHT) == 0


def test_given_a_task_that_waits_in_its_queue_then_it_is_forgotten_but_not_lost(
    play: Stage,
) -> None:
    """A backlog of a day is no loss: the record goes, counted as an eviction."""
    play.sent()
    play.pass_time(DAY + 60, step=30)
    assert play.children(catalogue.TASK_LOST) == {}
    assert play.value(catalogue.TRACKER_EVICTIONS, "ttl") == 1


def test_given_an_eta_far_away_then_the_task_is_kept_until_after_it(play: Stage) -> None:
    """A task that is to run in three days is not overdue before it may start."""
    play.received(eta="2023-11-17T22:13:20+00:00")
    play.pass_time(3 * DAY + HOUR, step=60)
    assert play.value(catalogue.TASKS_IN_FLIGHT, TASK, "unknown", "received") == 1
    play.pass_time(DAY, step=60)
    assert play.children(catalogue.TASK_LOST) == {(TASK, "unknown", "expired"): 1}
