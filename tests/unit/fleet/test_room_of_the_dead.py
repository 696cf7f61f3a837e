"""Workers that are dead and queues without life keep nobody out who lives."""

from __future__ import annotations

import pytest

from celery_sentinel import poll_results
from celery_sentinel.config import schema
from celery_sentinel.metrics import catalogue
from tests.unit.fleet import narrow
from tests.unit.fleet.stage import QUEUE, TASK, WORKER, Stage


def test_given_dead_workers_then_those_that_live_have_series() -> None:
    """Pods that were killed leave names behind; the longest dead make room."""
    play = narrow.limited(workers=3)
    for hostname in ("w1@a", "w2@b", "w3@c"):
        play.beat(hostname)
        play.answer(hostname, pool="prefork", among=[hostname])
        play.pass_time(5)
    for _ in range(4):
        play.beat("w3@c")
        play.pass_time(5)
    assert play.value(catalogue.WORKER_UP, "w1@a") == 0
    play.beat("w4@d")
    ups = {labels[0]: up for labels, up in play.children(catalogue.WORKER_UP).items()}
    assert ups == {"w2@b": 0, "w3@c": 1, "w4@d": 1}
    assert play.fleet.workers.lost == 2
    assert play.value(catalogue.LABEL_FORGOTTEN, "hostname") == 1


def test_given_goodbyes_then_those_who_said_them_go_first() -> None:
    """One that was lost has something to tell, one that left in order has not."""
    play = narrow.limited(workers=2)
    play.beat("lost@a")
    play.answer("lost@a", pool="prefork")
    play.pass_time(15)
    play.online("left@a")
    play.offline("left@a")
    play.pass_time(15)
    play.beat("new@a")
    assert {labels[0] for labels in play.children(catalogue.WORKER_UP)} == {"lost@a", "new@a"}


def test_given_only_workers_that_live_then_none_of_them_goes() -> None:
    """A flood of invented workers displaces nobody who beats."""
    play = narrow.limited(workers=2)
    for second in range(300):
        play.beat("w1@a")
        play.beat("w2@a")
        play.beat(f"forged{second}@x")
        play.pass_time(1)
    assert {labels[0] for labels in play.children(catalogue.WORKER_UP)} == {"w1@a", "w2@a"}
    assert play.value(catalogue.LABEL_FORGOTTEN, "hostname") == 0


def test_given_invented_workers_of_task_events_then_they_go_when_they_are_silent() -> None:
    """They never beat, so they are never lost."""
    play = narrow.limited(workers=2)
    play.received("1", hostname="forged1@x")
    play.received("2", hostname="forged2@x")
    play.beat("w1@a")
    assert play.children(catalogue.WORKER_UP) == {}
    narrow.wait(play, 200)
    play.beat("w1@a")
    assert list(play.children(catalogue.WORKER_UP)) == [("w1@a",)]


def test_given_tasks_that_ran_on_a_worker_that_made_room_then_they_are_still_known() -> None:
    """Their end may still be heard of; nothing is said to be lost that was not."""
    play = narrow.limited(workers=1)
    play.received(hostname="hidden@x")
    play.started(hostname="hidden@x", at=5)
    narrow.wait(play, 200)
    play.beat("w1@a")
    assert list(play.children(catalogue.WORKER_UP)) == [("w1@a",)]
    assert play.value(catalogue.TASKS_IN_FLIGHT, TASK, "unknown", "started") == 1
    assert play.value(catalogue.TASK_OLDEST_STARTED, TASK, "unknown") == 1_700_000_005
    play.ended(hostname="hidden@x")
    assert play.fleet.workers.overflowed.running == {}
    assert play.children(catalogue.TASK_LOST) == {}


# --- queues that are polled -----------------------------------------------------------------


def known(play: Stage) -> set[str]:
    """Return the queues that are polled."""
    return {queue.name for queue in play.fleet.queues}


@pytest.mark.parametrize("source", ["binding", "event", "management"])
def test_given_empty_queues_at_their_limit_then_one_that_is_consumed_has_a_place(
    source: str,
) -> None:
    """Names that no longer exist do not hide a queue with messages and a consumer."""
    play = narrow.limited(queues=3)
    for name in ("full", "gone 1", "gone 2"):
        play.fleet.note_queues([(name, source)], play.wall)
    for _ in range(3):
        play.read(
            {name: poll_results.QueueReading(length=5 * (name == "full")) for name in known(play)}
        )
        play.pass_time(5)
    play.beat()
    play.answer(queues=("mail",))
    assert known(play) >= {"full", "mail"}
    assert len(known(play)) == 3
    play.read_length("mail", 7)
    assert play.value(catalogue.QUEUE_LENGTH, "mail") == 7
    assert play.value(catalogue.LABEL_FORGOTTEN, "queue_name") == 1


def test_given_only_queues_that_are_used_then_none_of_them_goes() -> None:
    """Configured, consumed or full: each of these keeps its place."""
    config = schema.Config(
        queues=schema.Queues(watch=("watched",)),
        metrics=schema.Metrics(limits=schema.Limits(queues=3)),
    )
    play = Stage(config)
    play.fleet.note_queues([("full", "binding")], play.wall)
    play.read({"full": poll_results.QueueReading(length=1)})
    play.pass_time(1)
    play.beat()
    play.answer(queues=("mail",))
    play.beat("w2@host")
    play.answer("w2@host", queues=("more",))
    assert known(play) == {"watched", "full", "mail"}
    assert play.worker("w2@host").queues == (narrow.OTHER,)
    assert play.value(catalogue.LABEL_OVERFLOW, "queue_name") == 1


def test_given_a_listed_name_then_it_displaces_none() -> None:
    """A broker may list more empty queues than there are places, each minute again."""
    play = narrow.limited(queues=2)
    for _ in range(10):
        for number in range(10):
            play.fleet.note_queues([(f"q{number}", "binding")], play.wall)
        narrow.wait(play, 1000)
    assert known(play) == {"q0", "q1"}


def test_given_a_queue_that_tasks_are_sent_to_then_the_long_idle_make_room_for_it() -> None:
    """Who sends to it proves less than who consumes it: what was used in the last hour stays."""
    play = narrow.limited(queues=2)
    play.tick()
    play.sent("1", name="a", queue="old")
    narrow.wait(play, 40 * 60)
    play.sent("2", name="a", queue="new")
    play.sent("3", name="a", queue="newer")
    assert known(play) == {"old", "new"}
    narrow.wait(play, 30 * 60)
    play.sent("4", name="b", queue="newer")
    assert known(play) == {"new", "newer"}


def test_given_lessons_of_forged_names_then_there_is_room_to_learn_more() -> None:
    """The queue of a task's name is learnt from task-sent; forged ones were kept for ever."""
    play = narrow.limited(queues=2, names=2)
    for number in range(30):
        play.sent(f"{number}", name=f"forged {number}", queue="q")
    play.pass_time(2)
    play.sent("real", name="real", queue=QUEUE)
    play.received("next", name="real", hostname=WORKER)
    assert play.record("next").series.queue_name == QUEUE
