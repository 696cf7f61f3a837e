"""The status document says in plain words how the fleet fares, and why something is missing."""

from __future__ import annotations

import time
from typing import Any

import pytest

from celery_sentinel import __version__, poll_results, status
from celery_sentinel.config import schema, thresholds
from celery_sentinel.status import document, schema as status_schema
from tests.unit.fleet.stage import QUEUE, TASK, Stage
from tests.unit.metrics import everything


def build(play: Stage, *, connected: bool = True, ready: bool = True) -> status_schema.Status:
    """Return the status of a fleet that was started a moment ago."""
    if connected and not play.stream.up:
        play.stream.connected(play.now, play.wall)
    return status.build(play.fleet, play.stream, started=play.wall, ready=ready)


def run(play: Stage, uuid: str, how: str = "succeeded", **fields: Any) -> None:
    """Play a whole task."""
    play.sent(uuid, **fields)
    play.received(uuid, **fields)
    play.started(uuid)
    play.ended(how, uuid, runtime=2.0, exception="KeyError('x')")


@pytest.mark.parametrize("ready", [True, False])
def test_given_an_empty_fleet_then_nothing_is_made_up(ready: bool) -> None:
    """Before the first event all lists are empty and nothing is noted."""
    found = build(Stage(), ready=ready)
    assert (found.version, found.ready) == (__version__, ready)
    assert (found.workers, found.queues, found.busiest, found.failing, found.notes) == ((),) * 5
    assert found.events == status_schema.EventsStatus(
        total=0, rejected={}, last_event_seconds=None, tracked_tasks=0
    )


def test_given_tasks_then_the_busiest_come_first_and_the_failing_apart() -> None:
    """Tasks are ordered by how many came; those with failures by how many failed."""
    play = Stage()
    for n in range(3):
        run(play, f"a{n}", name="a")
    run(play, "b", "failed", name="b")
    found = build(play)
    assert [(task.name, task.received) for task in found.busiest] == [("a", 3), ("b", 1)]
    assert [(task.name, task.failed, task.top_exception) for task in found.failing] == [
        ("b", 1, "KeyError")
    ]
    assert (found.busiest[0].mean_runtime_seconds, found.busiest[1].mean_runtime_seconds) == (
        2.0,
        None,
    )


def test_given_more_tasks_than_fit_then_the_busiest_are_shown() -> None:
    """The page shows so many tasks and no more."""
    play = Stage()
    for n in range(document.MOST_TASKS + 5):
        for k in range(n + 1):
            run(play, f"{n}-{k}", name=f"t{n}")
    found = build(play)
    assert len(found.busiest) == document.MOST_TASKS
    assert found.busiest[0].name == f"t{document.MOST_TASKS + 4}"


def test_given_workers_then_the_lost_come_first_and_the_gone_not_at_all() -> None:
    """What needs a look comes first; a goodbye needs none."""
    play = Stage()
    for name in ("b", "c", "d"):
        play.beat(f"{name}@host", active=1)
    play.jump(1)
    play.offline("d@host")
    for _ in range(6):
        play.beat("a@host")
        play.beat("b@host")
        play.pass_time(2)
    found = build(play)
    assert [(w.hostname, w.state) for w in found.workers] == [
        ("c@host", "lost"),
        ("a@host", "up"),
        ("b@host", "up"),
    ]


def test_given_more_workers_than_fit_then_a_lost_one_is_still_shown() -> None:
    """However many workers there are, the lost are on the page."""
    play = Stage()
    names = [f"w{n:03}@host" for n in range(document.MOST_WORKERS + 1)]
    for name in names:
        play.beat(name, active=1)
    for _ in range(6):
        for name in names[:-1]:
            play.beat(name)
        play.pass_time(2)
    found = build(play)
    assert len(found.workers) == document.MOST_WORKERS
    assert (found.workers[0].hostname, found.workers[0].state) == (names[-1], "lost")


def test_given_queues_then_what_is_in_flight_is_summed_and_unknown_comes_last() -> None:
    """Each queue shows what waits and runs, over all task names."""
    play = Stage(schema.Config(queues=schema.Queues(watch=("zzz",))))
    play.sent("1", name="a")
    play.sent("2", name="b")
    play.received("2", name="b")
    play.received("3", name="c")
    found = build(play)
    assert [(q.queue_name, q.sources, q.sent, q.received, q.started) for q in found.queues] == [
        (QUEUE, ("event",), 1, 1, 0),
        ("zzz", ("config",), 0, 0, 0),
        ("unknown", (), 0, 1, 0),
    ]


def test_given_rejected_events_then_only_reasons_that_occurred_are_told() -> None:
    """What was refused, by reason, from the decoder and from the model."""
    play = Stage()
    play.stream.rejected.update(oversized=2, malformed=1, content_type=0)
    play.received("")
    play.hear("task-progress", uuid="x")  # the application's own is no fault
    play.hear("nonsense", uuid="x")
    assert build(play).events.rejected == {"oversized": 2, "malformed": 2, "unknown_type": 1}


def test_given_a_broker_that_is_down_then_the_notes_say_why() -> None:
    """The first note is that the broker cannot be reached, and its error."""
    play = Stage()
    play.stream.lost(0.0, 0.0, reason="error", error="connection refused")
    found = build(play, connected=False)
    assert not found.broker.up
    assert found.notes == ("The broker cannot be reached: connection refused. We go on trying.",)


def test_given_no_task_sent_then_the_notes_say_what_to_set() -> None:
    """Missing queue waits have a reason, and a remedy."""
    play = Stage()
    play.received()
    assert [note for note in build(play).notes if "task_send_sent_event" in note]


def test_given_unnamed_tasks_then_the_notes_say_how_that_comes() -> None:
    """Tasks that had begun before us have no name."""
    play = Stage()
    play.ended()
    assert [note for note in build(play).notes if "'unknown'" in note]


def test_given_a_full_label_then_the_notes_say_where_to_look() -> None:
    """An overflow is told, with its metric and its setting."""
    play = Stage(schema.Config(metrics=schema.Metrics(limits=schema.Limits(names=1))))
    run(play, "1", name="a")
    run(play, "2", name="b")
    assert [note for note in build(play).notes if "__other__" in note]


def test_given_workers_with_troubles_then_each_has_its_note() -> None:
    """No task events, a namesake, no heartbeats: each worker's trouble is told by its name."""
    play = Stage()
    for count in range(3):
        play.beat("quiet@host", processed=count)
        play.beat("twins@host", pid=7)
        play.beat("twins@host", pid=8)
        play.pass_time(2)
    play.received(hostname="mute@host")
    notes = build(play).notes
    for hostname, word in (("quiet", "-E"), ("twins", "-n"), ("mute", "--without-heartbeat")):
        assert [note for note in notes if f"{hostname}@host" in note and word in note], hostname


def test_given_all_is_well_then_there_is_nothing_to_note() -> None:
    """A healthy fleet has no notes."""
    play = Stage()
    play.beat()
    run(play, "1")
    play.jump(1)
    play.beat(processed=1)
    assert build(play).notes == ()


def test_given_everything_then_the_document_is_whole() -> None:
    """A fleet to which everything happened has a status."""
    found = build(everything.stage())
    assert found.events.total > 0
    assert {task.name for task in found.failing} == {TASK}
    assert found.busiest[0].oldest_started_seconds is not None


def test_given_a_poll_then_a_queue_shows_what_it_found() -> None:
    """Depth, consumers, the oldest message, workers and slots: the facts of the metrics."""
    play = Stage(schema.Config(queues=schema.Queues(watch=("mail",), dead_letter=("dead",))))
    play.beat(active=1)
    play.answer(concurrency=4, queues=("mail",))
    play.read(
        {
            "mail": poll_results.QueueReading(
                length=3, unacked=2, consumers=5, tails=(poll_results.Tail(task_id="1"),)
            ),
            "dead": poll_results.QueueReading(length=9),
        },
        unacked=2,
        delayed=1,
    )
    found = build(play)
    dead, mail = found.queues
    assert (dead.queue_name, dead.role, dead.length) == ("dead", "dead_letter", 9)
    assert (dead.workers, dead.slots, dead.consumers) == (0, 0, 0)
    assert (mail.length, mail.unacked, mail.consumers, mail.oldest_source) == (3, 2, 5, "observed")
    assert (mail.workers, mail.slots, mail.slots_busy) == (1, 4, 1)
    assert (found.broker.round_trip_seconds, found.broker.unacked) == (0.002, 2)
    assert found.broker.delayed == 1


def test_given_no_poll_then_nothing_is_made_up_of_queues() -> None:
    """What was not asked is unknown, not 0."""
    play = Stage(schema.Config(queues=schema.Queues(watch=("mail",))))
    (mail,) = build(play).queues
    unknown = (mail.length, mail.unacked, mail.consumers, mail.oldest_message_seconds)
    assert unknown == (None,) * 4
    assert (mail.workers, mail.slots, mail.slots_busy) == (None,) * 3


def test_given_tasks_of_no_certain_queue_then_nobody_is_said_to_work_on_it() -> None:
    """``unknown`` and ``__other__`` stand for queues, they are none."""
    play = Stage(schema.Config(metrics=schema.Metrics(limits=schema.Limits(queues=1))))
    play.sent("1", queue="mail")
    play.sent("2", queue="other")
    play.sent("3", queue=None)
    play.answer(None)
    found = {queue.queue_name: queue.workers for queue in build(play).queues}
    assert found == {"mail": 0, "__other__": None, "unknown": None}


def test_given_more_queues_than_fit_then_the_fullest_are_shown() -> None:
    """A page of queues begins with those in which most waits."""
    names = tuple(f"q{n:03}" for n in range(250))
    play = Stage(schema.Config(queues=schema.Queues(watch=names)))
    play.read({name: poll_results.QueueReading(length=n) for n, name in enumerate(names)})
    shown = build(play).queues
    assert len(shown) == 200
    assert (shown[0].queue_name, shown[0].length) == ("q249", 249)


def test_given_a_wedged_worker_then_it_comes_right_after_the_lost_with_its_reason() -> None:
    """What needs a look comes first."""
    play = Stage()
    for name in ("a@h", "b@h", "c@h"):
        play.beat(name)
        play.answer(name, pool="prefork", concurrency=2)
    for _ in range(2):
        play.answer("a@h")
    for _ in range(6):
        play.beat("a@h")
        play.beat("b@h")
        play.pass_time(2)
    found = [(worker.hostname, worker.state, worker.wedged) for worker in build(play).workers]
    assert found == [("c@h", "lost", None), ("b@h", "up", "not_answering"), ("a@h", "up", None)]


def test_given_a_worker_that_only_answered_then_it_was_seen_then() -> None:
    """Without heartbeats the last sign of a worker is its last answer."""
    play = Stage()
    play.now = time.monotonic() - 5
    play.answer(pool="prefork")
    (worker,) = build(play).workers
    assert worker.state == "unheard"
    assert 5 <= worker.last_heard_seconds < 60


def test_given_a_queue_over_its_objectives_then_each_is_named_with_its_limit() -> None:
    """Critical goes before warning, and age before length."""
    play = Stage(schema.Config(queues=schema.Queues(watch=("bulk",))))
    play.wall = time.time()
    tail = poll_results.Tail(task_id="t", enqueued_at=play.wall - 2000)
    play.read({"bulk": poll_results.QueueReading(length=1001, tails=(tail,))})
    (queue,) = build(play).queues
    assert [(each.objective, each.severity, each.limit) for each in queue.missed] == [
        ("age_seconds", "critical", 1800),
        ("age_seconds", "warning", 300),
        ("length", "warning", 1000),
    ]


@pytest.mark.parametrize(("running", "missed"), [(20, []), (62, [("stuck_seconds", 60.0)])])
def test_given_a_run_over_its_objective_then_its_task_misses_it(
    running: float, missed: list[tuple[str, float]]
) -> None:
    """The oldest run of the task counts."""
    rule = schema.TaskObjectives(match=TASK, stuck_seconds=thresholds.Duration("1m"))
    play = Stage(schema.Config(objectives=schema.Objectives(tasks=(rule,))))
    play.wall = time.time() - running
    play.beat()
    play.received("1")
    play.started("1")
    (task,) = build(play).busiest
    assert [(each.objective, each.limit) for each in task.missed] == missed
