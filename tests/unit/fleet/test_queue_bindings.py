"""The queue of a task that went through an exchange is known from what its workers have bound."""

from __future__ import annotations

import pytest

from celery_sentinel import poll_results
from celery_sentinel.fleet import queue_bindings
from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import ID, TASK, WORKER, Stage


@pytest.mark.parametrize(
    ("pattern", "key", "expected"),
    [
        ("mail.new", "mail.new", True),
        ("mail.*", "mail.new", True),
        ("mail.*", "mail", False),
        ("mail.*", "mail.new.eu", False),
        ("mail.#", "mail", True),
        ("mail.#", "mail.new.eu", True),
        ("#", "", True),
        ("#.eu", "mail.new.eu", True),
        ("*.new.#", "mail.new", True),
        ("#.new.*.#", "a.new.b.new.c", True),
        ("#.new.*", "new.new", True),
        ("#.x.#.y", "a.x.b", False),
        ("mail", "post", False),
    ],
)
def test_a_topic_pattern_matches_words(pattern: str, key: str, expected: bool) -> None:
    """A star is one word, a hash any number of them, none too."""
    assert queue_bindings.matches(pattern.split("."), key.split(".")) is expected


def bind(play: Stage, *told: tuple[str, str, str, str], hostname: str = WORKER) -> None:
    """Let a worker say that its queues hang on exchanges: (queue, exchange, type, key)."""
    play.beat(hostname)
    found = tuple(
        poll_results.Binding(queue=queue, exchange=exchange, type=kind, key=key)
        for queue, exchange, kind, key in told
    )
    queues = tuple(dict.fromkeys(one.queue for one in found))
    play.answer(hostname, pid=7, queues=queues, bindings=found)


@pytest.mark.parametrize("named", [None, "celery"])
def test_given_a_topic_exchange_then_its_bindings_tell_the_queue(
    play: Stage, named: str | None
) -> None:
    """Also where Celery named its default queue, which hangs elsewhere."""
    bind(
        play,
        ("post", "topics", "topic", "mail.#"),
        ("feed", "topics", "topic", "news.*"),
        ("celery", "celery", "direct", "celery"),
    )
    play.sent("a", queue=named, exchange="topics", routing_key="mail.new")
    play.sent("b", queue=named, exchange="topics", routing_key="news.old")
    play.sent("c", queue=named, exchange="topics", routing_key="nobody")
    assert play.children(catalogue.TASK_SENT) == {
        (TASK, "post"): 1,
        (TASK, "feed"): 1,
        (TASK, "unknown"): 1,
    }


def test_given_two_queues_that_match_then_the_one_that_is_named_is_meant(play: Stage) -> None:
    """A message that goes to several queues, of which none is named, is in none for sure."""
    bind(play, ("post", "topics", "topic", "mail.#"), ("all", "topics", "topic", "#"))
    play.sent("a", queue="all", exchange="topics", routing_key="mail.new")
    play.sent("b", queue=None, exchange="topics", routing_key="mail.new")
    assert play.children(catalogue.TASK_SENT) == {(TASK, "all"): 1, (TASK, "unknown"): 1}


def test_given_a_new_binding_then_what_was_remembered_is_looked_up_again(play: Stage) -> None:
    """A way through an exchange is remembered until another binding is told."""
    bind(play, ("post", "topics", "topic", "mail.#"))
    play.sent("a", queue=None, exchange="topics", routing_key="news.old")
    bind(play, ("post", "topics", "topic", "mail.#"), ("feed", "topics", "topic", "news.*"))
    play.sent("b", queue=None, exchange="topics", routing_key="news.old")
    assert play.children(catalogue.TASK_SENT) == {(TASK, "unknown"): 1, (TASK, "feed"): 1}


def test_given_an_answer_that_names_exchange_and_key_then_the_running_task_is_there(
    play: Stage,
) -> None:
    """No task-sent is needed for what a worker says it runs."""
    bind(play, ("post", "topics", "topic", "mail.#"), ("feed", "topics", "topic", "news.*"))
    task = poll_results.ActiveTask(
        task_id=ID, name=TASK, exchange="topics", routing_key="news.old", started_at=1.0
    )
    play.answer(WORKER, pid=7, active=(task,))
    assert play.value(catalogue.TASKS_IN_FLIGHT, TASK, "feed", "started") == 1


def test_given_a_known_task_without_a_queue_then_the_answer_gives_it_one(play: Stage) -> None:
    """Its end counts where it ran, its receipt where it was counted."""
    bind(play, ("post", "topics", "topic", "mail.#"), ("feed", "topics", "topic", "news.*"))
    play.received()
    play.started()
    play.pass_time(4)
    task = poll_results.ActiveTask(task_id=ID, name=TASK, exchange="topics", routing_key="news.old")
    play.answer(WORKER, pid=7, active=(task,))
    play.ended()
    assert play.children(catalogue.TASK_SUCCEEDED)[TASK, "feed"] == 1


def test_given_hostile_answers_then_what_is_kept_is_bounded(play: Stage) -> None:
    """Exchanges, their bindings and the words of a pattern have limits."""
    for number in range(queue_bindings.MOST_EXCHANGES + 5):
        told = [("q", f"x{number}", "topic", ".".join("#" * queue_bindings.MOST_WORDS) + ".#")]
        told += [("q", f"x{number}", "topic", "a.#")]
        bind(play, *told)
    for number in range(queue_bindings.MOST_EACH + 5):
        bind(play, ("q", "x0", "topic", f"k{number}"))
    assert (
        play.fleet.queues.bindings.version
        == queue_bindings.MOST_EXCHANGES + queue_bindings.MOST_EACH - 1
    )
