"""What polls find in queues is shown as it was found, for as long as it can be true."""

from __future__ import annotations

from typing import Any

import pytest

from celery_sentinel import poll_results
from celery_sentinel.config import schema
from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import EPOCH, QUEUE, Stage

BROKER_METRICS = (
    catalogue.BROKER_ROUND_TRIP,
    catalogue.BROKER_UNACKED,
    catalogue.BROKER_OLDEST_UNACKED,
    catalogue.BROKER_DELAYED,
)
OLDEST = catalogue.QUEUE_OLDEST_MESSAGE


@pytest.fixture
def play() -> Stage:
    """Return a fleet that knows one queue; queues are polled every 5 s."""
    return Stage(schema.Config(queues=schema.Queues(watch=(QUEUE,))))


def tails(play: Stage, *found: poll_results.Tail | str, queue: str = QUEUE) -> None:
    """Apply a reading of a queue that is not empty; a bare text is the id of a task."""
    given = tuple(poll_results.Tail(task_id=one) if isinstance(one, str) else one for one in found)
    play.read({queue: poll_results.QueueReading(length=len(given), tails=given)})


def test_given_a_reading_then_all_its_figures_show(play: Stage) -> None:
    """Depth, its parts, unacked messages and consumers are what the broker said."""
    found = poll_results.QueueReading(
        length=5, by_priority={"0": 2, "9": 3}, unacked=4, consumers=0
    )
    play.read({QUEUE: found}, unacked=7, oldest_unacked_at=EPOCH - 9, delayed=0)
    assert play.children(catalogue.QUEUE_LENGTH) == {(QUEUE,): 5}
    assert play.children(catalogue.QUEUE_PRIORITY_LENGTH) == {(QUEUE, "0"): 2, (QUEUE, "9"): 3}
    assert play.children(catalogue.QUEUE_UNACKED) == {(QUEUE,): 4}
    assert play.children(catalogue.QUEUE_CONSUMERS) == {(QUEUE,): 0}
    assert [play.value(metric) for metric in BROKER_METRICS] == [0.002, 7, EPOCH - 9, 0]


def test_given_an_unknown_length_then_the_queue_is_absent_and_not_empty(play: Stage) -> None:
    """A queue that could not be looked at has no depth, also where it had one before."""
    play.read_length(QUEUE, 3)
    play.read_length(QUEUE, None)
    for metric in (catalogue.QUEUE_LENGTH, catalogue.QUEUE_UNACKED, catalogue.QUEUE_CONSUMERS):
        assert play.children(metric) == {}
    play.read_length(QUEUE, 0)
    assert play.children(catalogue.QUEUE_LENGTH) == {(QUEUE,): 0}


def test_given_a_reading_of_a_queue_that_left_then_it_is_ignored(play: Stage) -> None:
    """Between question and answer a reload may have dropped a queue: it does not return."""
    play.read_length("gone", 3)
    assert play.children(catalogue.QUEUE_LENGTH) == {}
    assert [queue.name for queue in play.fleet.queues] == [QUEUE]


def test_given_silence_then_values_stay_for_three_intervals_and_then_vanish(play: Stage) -> None:
    """Unknown is absent: of the queue and of the broker nothing is left."""
    found = poll_results.QueueReading(
        length=1,
        by_priority={"0": 1},
        unacked=0,
        consumers=1,
        tails=(poll_results.Tail(task_id="1"),),
    )
    play.read({QUEUE: found}, unacked=1, oldest_unacked_at=EPOCH, delayed=2)
    of_the_queue = (
        catalogue.QUEUE_LENGTH,
        catalogue.QUEUE_PRIORITY_LENGTH,
        catalogue.QUEUE_UNACKED,
        catalogue.QUEUE_CONSUMERS,
        OLDEST,
    )
    play.pass_time(15)
    assert all(play.children(metric) for metric in (*of_the_queue, *BROKER_METRICS))
    play.pass_time(0.5)
    assert not any(play.children(metric) for metric in (*of_the_queue, *BROKER_METRICS))
    assert play.children(catalogue.QUEUE_INFO) == {(QUEUE, "config", "work"): 1}


def test_given_a_queue_that_is_not_read_while_others_are_then_it_alone_vanishes() -> None:
    """Each queue ages by its own last reading."""
    play = Stage(schema.Config(queues=schema.Queues(watch=("a", "b"))))
    play.read_length("a", 1)
    for _ in range(4):
        play.pass_time(4)
        play.read_length("b", 2)
    assert play.children(catalogue.QUEUE_LENGTH) == {("b",): 2}


# --- the oldest message ----------------------------------------------------------------------


def test_given_a_tail_whose_task_sent_was_seen_then_its_age_is_exact(play: Stage) -> None:
    """Our own record of the sending is better evidence than what the message says."""
    play.sent("1", at=-30)
    tails(play, poll_results.Tail(task_id="1", enqueued_at=EPOCH - 20))
    assert play.children(OLDEST) == {(QUEUE, "tracked"): EPOCH - 30}


def test_given_a_tail_not_sent_in_our_time_then_its_header_tells(play: Stage) -> None:
    """A message that carries the time of its sending needs no record."""
    tails(play, poll_results.Tail(task_id="1", enqueued_at=EPOCH - 20))
    assert play.children(OLDEST) == {(QUEUE, "header"): EPOCH - 20}


def test_given_a_tail_that_tells_no_time_then_it_is_observed_while_it_stays(play: Stage) -> None:
    """It has waited at least since it was first seen; another tail starts anew."""
    tails(play, "1")
    play.jump(5)
    tails(play, "1")
    assert play.children(OLDEST) == {(QUEUE, "observed"): EPOCH}
    play.jump(5)
    tails(play, "2")
    assert play.children(OLDEST) == {(QUEUE, "observed"): EPOCH + 10}
    play.jump(5)
    tails(play, "1")
    assert play.children(OLDEST) == {(QUEUE, "observed"): EPOCH + 15}


def test_given_an_empty_queue_then_there_is_no_oldest_message(play: Stage) -> None:
    """The age of the message that was consumed goes with it."""
    tails(play, "1")
    tails(play)
    assert play.children(OLDEST) == {}


def test_given_several_tails_then_the_oldest_of_them_counts(play: Stage) -> None:
    """Each priority has its list: the age is that of whichever has waited longest."""
    play.sent("1", at=-10)
    tails(play, "1", poll_results.Tail(enqueued_at=EPOCH - 50), "2")
    assert play.children(OLDEST) == {(QUEUE, "header"): EPOCH - 50}
    play.sent("2", at=-90)
    tails(play, "1", poll_results.Tail(enqueued_at=EPOCH - 50), "2")
    assert play.children(OLDEST) == {(QUEUE, "tracked"): EPOCH - 90}


def test_given_a_task_that_was_received_before_then_its_sending_is_no_evidence(
    play: Stage,
) -> None:
    """Delivered again, a message has waited since it came back, not since it was sent."""
    play.sent("1", at=-600)
    play.received("1", at=-500)
    tails(play, "1")
    assert play.children(OLDEST) == {(QUEUE, "observed"): EPOCH}


def test_given_a_tail_that_tells_nothing_then_its_age_is_unknown(play: Stage) -> None:
    """A message that is no task's, or that cannot be read, has no age."""
    tails(play, poll_results.Tail())
    assert play.children(OLDEST) == {}


@pytest.mark.parametrize("ahead", [0.5, 3600.0])
def test_given_a_producer_whose_clock_is_ahead_then_nothing_was_sent_in_the_future(
    play: Stage, ahead: float
) -> None:
    """A message that is there was sent by now, by our clock."""
    play.sent("1", at=ahead)
    tails(play, "1")
    assert play.children(OLDEST) == {(QUEUE, "tracked"): EPOCH}


@pytest.mark.parametrize("stamp", [0.0, -1.0, 1.0, -1e300, 1e300])
def test_given_a_time_that_cannot_be_then_the_next_best_evidence_counts(
    play: Stage, stamp: float
) -> None:
    """A task-sent without a time does not make a message fifty years old."""
    play.hear("task-sent", uuid="1", name="a", queue=QUEUE, timestamp=stamp)
    tails(play, poll_results.Tail(task_id="1", enqueued_at=EPOCH - 5))
    assert play.children(OLDEST) == {(QUEUE, "header"): EPOCH - 5}
    tails(play, poll_results.Tail(task_id="1", enqueued_at=123456789.0))
    assert play.children(OLDEST) == {(QUEUE, "observed"): EPOCH}


def test_given_two_queues_with_one_tail_then_each_observes_for_itself() -> None:
    """First sights are the queue's own, and those of messages that left are not kept."""
    play = Stage(schema.Config(queues=schema.Queues(watch=("a", "b"))))
    tails(play, "1", queue="a")
    play.jump(5)
    tails(play, "1", queue="b")
    assert play.children(OLDEST) == {("a", "observed"): EPOCH, ("b", "observed"): EPOCH + 5}
    tails(play, queue="a")
    assert play.fleet.queues.by_name["a"].first_seen == {}


@pytest.mark.parametrize("sections", [{"watch": (QUEUE, "b")}, {"dead_letter": (QUEUE,)}])
def test_given_a_reload_then_readings_are_kept(play: Stage, sections: dict[str, Any]) -> None:
    """What was read a moment ago is still true under another configuration."""
    tails(play, "1")
    play.jump(5)
    play.fleet.reconfigure(schema.Config(queues=schema.Queues(**sections)))
    assert play.children(catalogue.QUEUE_LENGTH) == {(QUEUE,): 1}
    tails(play, "1")
    assert play.children(OLDEST) == {(QUEUE, "observed"): EPOCH}
