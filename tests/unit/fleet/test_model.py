"""The fleet takes batches, and no event of one costs the others."""

from __future__ import annotations

from celery_sentinel.config import schema
from celery_sentinel.events.event import Event
from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import EPOCH, QUEUE, TASK, Stage


def test_given_a_batch_when_one_event_cannot_be_applied_then_the_others_are(play: Stage) -> None:
    """A defect of ours costs one event; it is counted and kept for the log."""
    broken = Event(type="task-received", uuid="b", hostname="w@h", name="x", timestamp=EPOCH)
    broken.retries = None  # type: ignore[assignment]
    batch = [
        Event(type="task-received", uuid="a", hostname="w@h", name="x", timestamp=EPOCH),
        Event(type="task-received", uuid="b", hostname="w@h", name="x", timestamp=EPOCH),
        broken,
        Event(type="task-received", uuid="c", hostname="w@h", name="x", timestamp=EPOCH),
    ]
    play.fleet.apply(batch, play.now, play.wall)
    play.settle()
    assert set(play.fleet.records.by_id) == {"a", "b", "c"}
    assert play.fleet.failures == 1
    assert isinstance(play.fleet.last_failure, TypeError)


def test_given_events_then_the_last_receipt_is_by_our_clock(play: Stage) -> None:
    """The time of the last event is when we received it."""
    play.jump(5)
    play.received(at=-3600)
    assert play.value(catalogue.LAST_EVENT) == EPOCH + 5


def test_given_no_events_then_every_type_counts_zero(play: Stage) -> None:
    """What is counted by type is there from the start."""
    counts = play.children(catalogue.EVENTS)
    assert len(counts) == 13
    assert set(counts.values()) == {0}


def test_given_a_reload_then_queues_and_categories_are_those_of_the_new_file(play: Stage) -> None:
    """What can change while running changes, and what events have taught stays."""
    play.sent()
    play.fleet.reconfigure(
        schema.Config(
            queues=schema.Queues(watch=("new",)),
            tasks=schema.Tasks(
                categories=(schema.ExceptionCategory(match="ValueError", category="input"),)
            ),
        )
    )
    play.ended("failed", exception="ValueError()")
    assert play.children(catalogue.TASK_FAILED) == {(TASK, QUEUE, "ValueError", "input"): 1}
    assert {queue.name for queue in play.fleet.queues} == {"new", QUEUE}
