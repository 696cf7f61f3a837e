"""The status document says in plain words how the fleet fares, and why something is missing."""

from __future__ import annotations

from typing import Any

import pytest

from celery_sentinel import __version__, status, summary
from celery_sentinel.config import schema
from tests.unit.exposition import everything
from tests.unit.fleet.stage import QUEUE, TASK, Stage


def build(play: Stage, *, connected: bool = True, ready: bool = True) -> status.Status:
    """Return the status of a fleet that was started a moment ago."""
    if connected and not play.stream.up:
        play.stream.connected(play.now, play.wall)
    return summary.build(play.fleet, play.stream, started=play.wall, ready=ready)


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
    assert found.events == status.EventsStatus(
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
    for n in range(summary.MOST_TASKS + 5):
        for k in range(n + 1):
            run(play, f"{n}-{k}", name=f"t{n}")
    found = build(play)
    assert len(found.busiest) == summary.MOST_TASKS
    assert found.busiest[0].name == f"t{summary.MOST_TASKS + 4}"


def test_given_workers_then_the_lost_come_first_and_the_gone_not_at_all() -> None:
    """What needs a look comes first; a goodbye needs none."""
    play = Stage()
    for name in ("b", "c", "d"):
        play.beat(f"{name}@host")
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
    names = [f"w{n:03}@host" for n in range(summary.MOST_WORKERS + 1)]
    for name in names:
        play.beat(name)
    for _ in range(6):
        for name in names[:-1]:
            play.beat(name)
        play.pass_time(2)
    found = build(play)
    assert len(found.workers) == summary.MOST_WORKERS
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
    play.hear("task-progress", uuid="x")
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
