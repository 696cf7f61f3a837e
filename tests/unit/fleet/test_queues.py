"""The queue of a task is what the best evidence says, and unknown where there is none."""

from __future__ import annotations

import pytest

from celery_sentinel.config import schema
from celery_sentinel.fleet import queues
from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import QUEUE, TASK, Stage

DELAY = ".".join("0" * 24 + "1011")


def table(*, limit: int = 10, **sections: tuple[str, ...]) -> queues.QueueTable:
    """Return a queue table; sections are watch, ignore and dead_letter."""
    given = {"watch": (), "ignore": (), "dead_letter": (), **sections}
    return queues.QueueTable(limit=limit, **given)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"queue": "mail", "exchange": "", "routing_key": "other"}, "mail"),
        ({"queue": None, "exchange": "", "routing_key": "mail"}, "mail"),
        (
            {"queue": None, "exchange": "celery_delayed_27", "routing_key": f"{DELAY}.mail"},
            "mail",
        ),
        (
            {"queue": None, "exchange": "celery_delayed_27", "routing_key": f"{DELAY}.a.b"},
            "a.b",
        ),
        ({"queue": None, "exchange": "topics", "routing_key": "mail.new"}, "unknown"),
        ({"queue": None, "exchange": None, "routing_key": None}, "unknown"),
        ({"queue": "", "exchange": "", "routing_key": ""}, "unknown"),
    ],
)
def test_given_a_task_sent_then_its_queue_is_what_it_tells(
    play: Stage, fields: dict[str, str | None], expected: str
) -> None:
    """The queue itself, or the routing key where that is the queue, or hides it after the delay."""
    for uuid in "ab":
        play.sent(uuid, **fields)  # type: ignore[arg-type]
    assert play.children(catalogue.TASK_SENT) == {(TASK, expected): 2}


def test_given_one_queue_learnt_when_a_task_tells_none_then_it_is_that(play: Stage) -> None:
    """A name that was only ever sent to one queue is taken to come from it."""
    play.sent("a")
    play.received("b")
    assert play.record("b").series.queue_name == QUEUE


def test_given_two_queues_learnt_when_a_task_tells_none_then_it_is_unknown(play: Stage) -> None:
    """A name that was sent to two queues may have come from either."""
    play.sent("a", queue="one")
    play.sent("b", queue="two")
    play.sent("c", queue="one")
    play.received("d")
    assert play.record("d").series.queue_name == "unknown"


def test_given_a_worker_of_one_queue_then_its_tasks_come_from_there(play: Stage) -> None:
    """What the worker consumes is better evidence than what was learnt for the name."""
    play.sent("a", queue="one")
    play.beat()
    play.worker().queues = ("two",)
    play.received("b")
    play.ended(uuid="c")
    assert play.record("b").series.queue_name == "two"
    assert play.value(catalogue.TASK_SUCCEEDED, "unknown", "two") == 1


def test_given_a_worker_of_two_queues_then_it_is_no_evidence(play: Stage) -> None:
    """A worker of several queues does not say from which a task came."""
    play.beat()
    play.worker().queues = ("one", "two")
    play.received()
    assert play.record().series.queue_name == "unknown"


def test_given_a_sent_without_queue_when_received_then_other_evidence_counts(play: Stage) -> None:
    """A task sent to an exchange takes its queue from the worker that received it."""
    play.beat()
    play.worker().queues = ("mail",)
    play.sent(queue=None, exchange="topics", routing_key="mail.new")
    play.received()
    assert play.value(catalogue.TASKS_IN_FLIGHT, TASK, "mail", "received") == 1
    assert play.value(catalogue.TASKS_IN_FLIGHT, TASK, "unknown", "sent") == 0


def test_given_queues_from_config_and_events_then_both_are_known_with_their_sources(
    play: Stage,
) -> None:
    """A queue is known by everything that names it."""
    play = Stage(
        schema.Config(queues=schema.Queues(watch=(QUEUE, "idle"), dead_letter=("dead", "dlq.*")))
    )
    play.sent("a")
    play.sent("b", queue="dlq.mail")
    known = {queue.name: (queue.role, queue.sources) for queue in play.fleet.queues}
    assert known == {
        QUEUE: ("work", {"config", "event"}),
        "idle": ("work", {"config"}),
        "dead": ("dead_letter", {"config"}),
        "dlq.mail": ("dead_letter", {"event"}),
    }


def test_given_an_ignored_pattern_then_events_do_not_list_it_and_config_does() -> None:
    """What is ignored is not listed, unless it is watched by name."""
    known = table(watch=("a.pidbox",), ignore=("*.pidbox",))
    known.note("b.pidbox", "event")
    known.note("a.pidbox", "event")
    assert {queue.name: queue.sources for queue in known} == {"a.pidbox": {"config", "event"}}


def test_given_a_full_table_when_configured_anew_then_watched_queues_come_first() -> None:
    """A reload keeps what events have taught, after what the configuration names."""
    known = table(limit=2, watch=("a",))
    known.note("b", "event")
    known.note("c", "event")
    assert known.overflow == 1
    known.configure(watch=("a", "d"), ignore=(), dead_letter=())
    assert [queue.name for queue in known] == ["a", "d"]


def test_given_a_reload_that_stops_watching_then_only_what_events_named_stays() -> None:
    """A queue known from the configuration alone goes with it."""
    known = table(watch=("a", "b"))
    known.note("b", "event")
    known.configure(watch=(), ignore=(), dead_letter=("b",))
    assert {q.name: (q.role, q.sources) for q in known} == {
        "b": ("dead_letter", {"config", "event"})
    }
