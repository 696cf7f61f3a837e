"""What a snapshot holds and a restoration makes of it is what was there."""

from __future__ import annotations

from hypothesis import given, settings

from celery_sentinel import poll_results
from celery_sentinel.config import schema
from celery_sentinel.events.event import Event
from celery_sentinel.fleet import task_series
from celery_sentinel.fleet.worker import State
from celery_sentinel.metrics import catalogue
from tests.unit.fleet import accounts, stage, test_invariants
from tests.unit.state import restarts


def full_stage(config: schema.Config | None = None) -> stage.Stage:
    """Return a stage with something of everything."""
    play = stage.Stage(config)
    play.stream.connected(play.now, play.wall)
    for hostname in ("w1@host", "w2@host"):
        play.beat(hostname, processed=3, active=1, loadavg=[0.1, 0.2, 0.3], sw_ver="5.5.0")
    play.answer("w1@host", pid=7, pool="prefork", concurrency=4, queues=(stage.QUEUE,))
    ends = ("succeeded", "failed", "retried", "revoked", "rejected", "cancelled")
    for number, end in enumerate(ends):
        uuid = f"ended-{number}"
        play.sent(uuid, at=0)
        play.received(uuid, at=1)
        play.started(uuid, at=2.5)
        play.ended(end, uuid, at=4, runtime=1.5, exception="KeyError('x')", requeue=False)
    play.sent("waits", at=5, eta="2023-11-14T22:13:30+00:00")
    play.received("reserved", at=6)
    play.started("runs", at=7)
    play.hear("task-succeeded", uuid="orphan", hostname="w3@host", runtime=0.1)
    play.hear("task-started", uuid="", hostname="w3@host")
    play.hear("task-unheard-of", uuid="x")
    play.stream.rejected["oversized"] += 2
    play.stream.salvaged["compressed"] += 1
    play.stream.control["asked"] += 4
    play.stream.failures["receiver"] += 1
    play.stream.lost(play.now, play.wall, reason="watchdog", error="silent")
    play.jump(3)
    play.stream.connected(play.now, play.wall)
    return play


def test_everything_shown_is_shown_again() -> None:
    """Every counter, histogram and gauge of tasks, queues, stream and limits is as it was."""
    play = full_stage()
    new = restarts.restarted(play)
    before, after = restarts.shown(play), restarts.shown(new)
    before["celery_sentinel_stream_gaps_total", ("restart",)] = 1
    before["celery_broker_up", ("redis",)] = 0
    assert after == before


def test_what_is_kept_is_kept_over_many_restarts() -> None:
    """A second restart changes no more than the first."""
    once = restarts.restarted(full_stage())
    twice = restarts.restarted(once)
    assert restarts.shown(twice) == restarts.shown(once)


@settings(max_examples=150, deadline=None)
@given(config=test_invariants.configs, script=test_invariants.steps_and_rounds)
def test_given_any_past_then_a_restart_shows_the_same(
    config: schema.Config, script: list[test_invariants.Step]
) -> None:
    """What is shown after is what was shown before, and the model agrees with itself."""
    play = stage.Stage(config)
    for step in script:
        test_invariants.take(play, step)
    new = restarts.restarted(play, config)
    assert restarts.shown(new) == restarts.shown(play)
    assert test_invariants.in_flight(new) == test_invariants.open_records(new)
    assert test_invariants.running(new) == test_invariants.started(new)
    assert list(new.fleet.records.by_id) == list(play.fleet.records.by_id)


@settings(max_examples=150, deadline=None)
@given(
    config=test_invariants.configs,
    before=test_invariants.steps,
    after=test_invariants.steps,
)
def test_given_any_future_then_it_counts_as_without_the_restart(
    config: schema.Config,
    before: list[Event | float],
    after: list[Event | float],
) -> None:
    """Task events applied after a restart count where they would have counted without it."""
    play = stage.Stage(config)
    for step in before:
        test_invariants.take(play, step)
    new = restarts.restarted(play, config)
    for step in after:
        if isinstance(step, Event) and step.type.startswith("task-"):
            test_invariants.take(play, step)
            test_invariants.take(new, step)
    for metric in test_invariants.TASK_TYPES.values():
        assert new.children(metric) == play.children(metric)
    assert new.fleet.failures == 0


def test_a_task_that_ran_ends_with_its_name_and_run_time() -> None:
    """A failure after the restart is that of its task, from its start of before the restart."""
    play = stage.Stage()
    play.sent(at=0)
    play.received(at=0)
    play.started(at=1)
    new = restarts.restarted(play, away=20)
    new.ended("failed", at=31, exception="ValueError()")
    labels = (stage.TASK, stage.QUEUE)
    assert new.value(catalogue.TASK_FAILED, *labels, "ValueError", "code") == 1
    assert new.distribution(catalogue.TASK_RUNTIME, *labels, "failed") == (1, 30.0)
    assert new.total(catalogue.ORPHAN_EVENTS) == 0
    assert new.value(catalogue.TASKS_IN_FLIGHT, *labels, "started") == 0


def test_a_queue_once_learnt_is_still_known() -> None:
    """What task-sent events taught of a task's queue outlives a restart."""
    play = stage.Stage()
    play.sent()
    new = restarts.restarted(play)
    new.received("another")
    assert new.value(catalogue.TASK_RECEIVED, stage.TASK, stage.QUEUE) == 1


def test_a_process_goes_on_where_it_was() -> None:
    """The same process adds to its count of tasks; another one is a restart."""
    play = stage.Stage()
    play.beat(processed=10)
    new = restarts.restarted(play, away=5)
    new.beat(processed=14)
    assert new.value(catalogue.WORKER_TASKS_PROCESSED, stage.WORKER) == 14
    assert new.value(catalogue.WORKER_RESTARTS, stage.WORKER) == 0
    new.beat(pid=8, processed=2)
    assert new.value(catalogue.WORKER_TASKS_PROCESSED, stage.WORKER) == 16
    assert new.value(catalogue.WORKER_RESTARTS, stage.WORKER) == 1


def test_crashes_are_kept_and_one_behind_our_back_is_not_claimed() -> None:
    """While we were away a goodbye may have been said; before, none was."""
    play = stage.Stage()
    for pid in (7, 8):
        play.beat(pid=pid)
    new = restarts.restarted(play, away=5)
    new.beat(pid=9)
    assert new.value(catalogue.WORKER_RESTARTS, stage.WORKER) == 2
    assert new.value(catalogue.WORKER_CRASHES, stage.WORKER) == 1


def test_the_account_of_a_process_goes_on() -> None:
    """What was started while we were away is missed, as the worker's own count tells."""
    play = stage.Stage()
    process = accounts.Process(play)
    for _ in range(5):
        process.run()
        process.beat()
        process.answer()
    new = restarts.restarted(play, away=20)
    balance = play.worker().ledgers[accounts.PID].balance()
    assert balance is not None
    assert new.worker().ledgers[accounts.PID].balance() == balance
    process.stage = new
    process.run(3, heard=False)
    for _ in range(8):
        process.run()
        process.beat()
        process.answer()
    assert new.value(catalogue.EVENTS_MISSED, stage.WORKER) == 3
    assert restarts.restarted(new).value(catalogue.EVENTS_MISSED, stage.WORKER) == 3


def test_what_a_worker_is_stays_known() -> None:
    """Pool, slots and queues are kept; what it holds at the moment is unknown."""
    play = stage.Stage()
    play.beat()
    play.answer(pid=7, pool="threads", concurrency=4, queues=("q",), reserved=3)
    new = restarts.restarted(play)
    worker = new.worker()
    assert (worker.pool, worker.concurrency, worker.queues) == ("threads", 4, ("q",))
    assert (worker.reserved, worker.responding) == (None, None)


def test_the_moment_of_a_message_at_a_tail_is_kept() -> None:
    """Since when a message was observed in a queue is not begun again."""
    play = stage.Stage()
    play.fleet.note_queues([("q", "inspect")], play.wall)
    tail = poll_results.QueueReading(length=1, tails=(poll_results.Tail(task_id="t"),))
    play.read({"q": tail})
    new = restarts.restarted(play, away=100)
    new.read({"q": tail})
    assert new.value(catalogue.QUEUE_OLDEST_MESSAGE, "q", "observed") == play.wall


def test_a_worker_of_the_overflow_keeps_its_tasks() -> None:
    """Tasks of workers over their limit are restored with the record they share."""
    config = schema.Config(metrics=schema.Metrics(limits=schema.Limits(workers=1)))
    play = stage.Stage(config)
    play.beat("w1@host")
    play.started("t", hostname="w2@host")
    new = restarts.restarted(play, config)
    assert new.record("t").worker is new.fleet.workers.overflowed
    assert new.record("t").state == task_series.STARTED
    assert new.fleet.workers.overflow == play.fleet.workers.overflow


def test_no_worker_is_up_until_it_is_heard() -> None:
    """A worker that was up is unknown, then up with its next heartbeat."""
    play = stage.Stage()
    play.beat()
    new = restarts.restarted(play)
    assert new.worker().state is State.UNHEARD
    assert new.value(catalogue.WORKER_UP, stage.WORKER) is None
    new.beat()
    assert new.value(catalogue.WORKER_UP, stage.WORKER) == 1
