"""A queue is known while somebody mentions it, and what is no queue of tasks is left out."""

from __future__ import annotations

import pytest

from celery_sentinel.config import schema
from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import EPOCH, QUEUE, Stage

AFTER = 600.0
NO_QUEUES = (
    "w1@h.celery.pidbox",
    "3f2a.reply.celery.pidbox",
    "celeryev.5a0c5d2e-0b1f-4c8e-9d57-6d2c7f0a9b11",
    "celery_delayed_5",
)
SOURCES = ("inspect", "binding", "management", "event")


@pytest.fixture
def play() -> Stage:
    """Return a fleet that forgets queues after ten minutes."""
    return stage()


def stage(**queues: tuple[str, ...]) -> Stage:
    """Return such a fleet; keywords are further settings of the section ``queues``."""
    return Stage(
        schema.Config(queues=schema.Queues(forget_after=schema.Seconds(AFTER), **queues))  # type: ignore[arg-type]
    )


def known(play: Stage) -> list[str]:
    """Return the names of the queues that show."""
    return sorted({labels[0] for labels in play.children(catalogue.QUEUE_INFO)})


def rounds(play: Stage, seconds: float) -> None:
    """Let time pass with a round of questions each minute that nobody answers."""
    for _ in range(int(seconds / 60)):
        play.pass_time(60, step=30)
        play.answer(None)


@pytest.mark.parametrize("source", ["binding", "management"])
def test_given_a_queue_nobody_mentions_any_more_then_it_leaves_after_a_while(
    play: Stage, source: str
) -> None:
    """It stays for queues.forget_after, with what was read of it, and goes with all its series."""
    play.fleet.note_queues([("old", source)], play.wall)
    rounds(play, AFTER)
    assert known(play) == ["old"]
    rounds(play, 60)
    assert known(play) == []
    assert play.children(catalogue.QUEUE_WORKERS) == {}


def test_given_a_configured_queue_then_it_is_never_forgotten() -> None:
    """What the configuration names is shown, whether it exists or not."""
    play = stage(watch=("idle",), dead_letter=("dead", "dlq.*"))
    rounds(play, 5 * AFTER)
    assert known(play) == ["dead", "idle"]


@pytest.mark.parametrize("how", ["inspected", "bound", "sent to"])
def test_given_a_queue_that_is_mentioned_now_and_then_then_it_stays(play: Stage, how: str) -> None:
    """A worker that consumes it, a binding or a task sent to it keeps a queue alive."""
    for n in range(10):
        if how == "inspected":
            play.answer(queues=(QUEUE,))
        elif how == "bound":
            play.fleet.note_queues([(QUEUE, "binding")], play.wall)
        else:
            play.sent(str(n))
        rounds(play, AFTER - 60)
        assert known(play) == [QUEUE]


@pytest.mark.parametrize("clock", [0.0, 1.0, -1e12])
def test_given_producers_without_a_clock_then_what_they_send_keeps_a_queue_all_the_same(
    play: Stage, clock: float
) -> None:
    """Mentions are told by our clock, not by the producer's."""
    for n in range(10):
        play.hear("task-sent", uuid=str(n), name="a", queue=QUEUE, timestamp=clock)
        rounds(play, AFTER - 60)
        assert known(play) == [QUEUE]


def test_given_a_producer_with_a_clock_far_ahead_then_its_queue_is_forgotten_in_time(
    play: Stage,
) -> None:
    """A mention of the year 3000 is one of now."""
    play.hear("task-sent", uuid="1", name="a", queue=QUEUE, timestamp=EPOCH + 1e12)
    rounds(play, AFTER + 120)
    assert known(play) == []


def test_given_a_forgotten_queue_when_tasks_are_sent_to_it_again_then_it_returns(
    play: Stage,
) -> None:
    """A weekly task brings its queue back each week."""
    play.sent("1")
    rounds(play, 2 * AFTER)
    assert known(play) == []
    play.sent("2")
    play.answer(None)
    assert known(play) == [QUEUE]


def test_given_tasks_of_no_known_queue_then_no_queue_is_made_of_them(play: Stage) -> None:
    """The labels ``unknown`` and ``__other__`` are no queues."""
    play.sent("1", queue=None)
    play.sent("2", queue="a")
    play.answer(None)
    assert known(play) == ["a"]


# --- what is left out ------------------------------------------------------------------------


@pytest.mark.parametrize("name", NO_QUEUES)
@pytest.mark.parametrize("source", SOURCES)
def test_given_a_queue_of_celerys_own_then_it_is_left_out_whoever_tells(
    play: Stage, name: str, source: str
) -> None:
    """Pidboxes, replies, events and delays are no queues of tasks."""
    if source == "inspect":
        play.answer(queues=(name,))
    elif source == "event":
        play.sent(queue=name)
        play.answer(None)
    else:
        play.fleet.note_queues([(name, source)], play.wall)
    assert known(play) == []


@pytest.mark.parametrize("prefix", ["monitor", "ev[1]*"])
def test_given_an_event_queue_of_another_prefix_then_it_is_left_out_too(prefix: str) -> None:
    """events.queue_prefix is literal text, and holds for all who listen to events."""
    play = Stage(schema.Config(events=schema.Events(queue_prefix=prefix)))
    play.fleet.note_queues([(f"{prefix}.5a0c", "management"), ("ev1.a", "binding")], play.wall)
    assert known(play) == ["ev1.a"]
    play.fleet.reconfigure(schema.Config(events=schema.Events(queue_prefix=prefix)))
    play.fleet.note_queues([(f"{prefix}.5a0d", "management")], play.wall)
    assert known(play) == ["ev1.a"]


def test_given_a_glob_of_the_site_then_it_holds_for_every_source_and_after_a_reload() -> None:
    """What is ignored from now on leaves, and what is no longer ignored may come."""
    play = stage(ignore=("tmp.*",))
    names = [("tmp.a", "binding"), ("keep", "binding")]
    play.fleet.note_queues(names, play.wall)
    assert known(play) == ["keep"]
    play.fleet.reconfigure(schema.Config(queues=schema.Queues(ignore=("keep",))))
    assert known(play) == []
    play.fleet.note_queues(names, play.wall)
    assert known(play) == ["tmp.a"]


def test_given_an_empty_name_then_it_is_no_queue(play: Stage) -> None:
    """A binding or a worker that names no queue names none."""
    play.fleet.note_queues([("", "binding")], play.wall)
    play.answer(queues=("",))
    assert known(play) == []
    assert play.worker().queues == ()


def test_given_more_queues_than_the_limit_then_the_rest_is_counted() -> None:
    """A broker with a queue per customer does not fill the memory of its monitor."""
    play = Stage(schema.Config(metrics=schema.Metrics(limits=schema.Limits(queues=3))))
    play.fleet.note_queues([(f"q{n}", "management") for n in range(10)], play.wall)
    assert known(play) == ["q0", "q1", "q2"]
    assert play.value(catalogue.LABEL_OVERFLOW, "queue_name") == 7
