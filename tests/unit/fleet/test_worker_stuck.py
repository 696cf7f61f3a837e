"""Stuck is told from idle and from busy, and nothing is said of whom it cannot be told."""

from __future__ import annotations

from typing import Any

import pytest

from celery_sentinel.config import schema
from celery_sentinel.fleet import worker_verdict
from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import WORKER, Stage

AFTER = 20.0
FACTS: dict[str, Any] = {"pool": "prefork", "concurrency": 2, "queues": ("mail", "sms")}


@pytest.fixture
def play() -> Stage:
    """Return a fleet with one worker that answered, and two empty queues it consumes."""
    return stage()


def stage(after: float = AFTER, **facts: Any) -> Stage:
    """Return such a fleet; ``facts`` differ from those of a prefork worker with two slots."""
    play = Stage(
        schema.Config(
            workers=schema.Workers(wedged_after=schema.Seconds(after)),
            queues=schema.Queues(watch=("mail", "sms")),
        )
    )
    play.beat(processed=40)
    play.answer(**{**FACTS, **facts})
    return play


def live(play: Stage, seconds: float, *, waiting: int | None, **beat: Any) -> None:
    """Let time pass with beats and with so many messages in one of the queues.

    Who is asked for its rate limits says that it has none.
    """
    for _ in range(int(seconds / 2)):
        play.beat(**{"processed": 40, **beat})
        play.read_length("mail", 0)
        play.read_length("sms", waiting)
        play.pass_time(2)
        if play.worker().limits_asked == 0 and play.worker().limits_at is None:
            play.answer(rate_limits={"mail.send": False})
            play.tick()


def wedged(play: Stage, hostname: str = WORKER) -> dict[str, int]:
    """Return what celery_worker_wedged says of one worker, by reason."""
    found = play.children(catalogue.WORKER_WEDGED)
    return {labels[1]: value for labels, value in found.items() if labels[0] == hostname}


NONE = dict.fromkeys(worker_verdict.REASONS, 0)
NOT_ANSWERING = {**NONE, worker_verdict.NOT_ANSWERING: 1}
NO_PROGRESS = {**NONE, worker_verdict.NO_PROGRESS: 1}


# --- it does not answer ----------------------------------------------------------------------


def test_given_two_polls_unanswered_then_it_is_not_answering_until_it_does(play: Stage) -> None:
    """One silence is a busy moment, two in a row are a state."""
    for expected in (NONE, NOT_ANSWERING, NOT_ANSWERING):
        play.answer(None)
        live(play, 2, waiting=0)
        assert wedged(play) == expected
    play.answer()
    play.tick()
    assert wedged(play) == NONE
    play.answer(None)
    play.tick()
    assert wedged(play) == NONE


def test_given_a_worker_that_never_answered_then_it_is_not_called_wedged() -> None:
    """Its remote control may be off: responding 0 says all there is to say."""
    play = Stage()
    play.beat()
    for _ in range(5):
        play.answer(None)
        live(play, 2, waiting=0)
    assert play.value(catalogue.WORKER_RESPONDING, WORKER) == 0
    assert wedged(play) == NONE


def test_given_rounds_that_fail_then_nobody_is_said_not_to_answer(play: Stage) -> None:
    """After three intervals without a round nothing is known of who answers."""
    play.answer(None)
    play.answer(None)
    live(play, 100, waiting=0)
    assert wedged(play) == {}
    assert play.worker().wedged is None


# --- it does not work ------------------------------------------------------------------------


def test_given_a_backlog_and_free_slots_when_it_starts_nothing_then_it_makes_no_progress(
    play: Stage,
) -> None:
    """All of it for as long as workers.wedged_after, and then at once."""
    live(play, AFTER, waiting=5, active=1)
    assert wedged(play) == NONE
    live(play, 4, waiting=5, active=1)
    assert wedged(play) == NO_PROGRESS


@pytest.mark.parametrize(
    "change",
    [
        {"waiting": 5, "processed": 41},
        {"waiting": 0},
        {"waiting": None},
        {"waiting": 5, "active": 2},
        {"waiting": 5, "active": None},
    ],
    ids=["progress", "empty queue", "unknown queue", "no free slot", "unknown slots"],
)
def test_given_a_wedged_worker_when_one_condition_ends_then_so_does_the_state(
    play: Stage, change: dict[str, Any]
) -> None:
    """Progress, an empty queue or no free slot clear it, and the time runs anew."""
    live(play, AFTER + 4, waiting=5)
    assert wedged(play) == NO_PROGRESS
    live(play, 4, **change)
    assert wedged(play) == NONE
    live(play, AFTER - 4, waiting=5, processed=change.get("processed", 40))
    assert wedged(play) == NONE
    live(play, 8, waiting=5, processed=change.get("processed", 40))
    assert wedged(play) == NO_PROGRESS


def test_given_slow_but_steady_work_then_it_is_never_wedged(play: Stage) -> None:
    """A worker that starts a task now and then beside a long backlog works."""
    for processed in range(41, 50):
        play.answer()
        live(play, AFTER - 4, waiting=1000, processed=processed)
        assert wedged(play) == NONE


def test_given_rare_heartbeats_then_standing_still_between_them_is_no_stall() -> None:
    """What was processed is told by heartbeats alone: two of them have to agree."""
    play = stage(after=20)
    for processed in range(40, 46):
        play.beat(freq=60.0, processed=processed)
        play.answer()
        for _ in range(10):
            play.read_length("sms", 5)
            play.pass_time(6)
            assert wedged(play) == NONE


def test_given_a_wedged_worker_when_it_is_lost_then_it_is_dead_and_not_wedged(
    play: Stage,
) -> None:
    """Of a worker that is not up nothing is said; when it returns the time runs anew."""
    live(play, AFTER + 4, waiting=5)
    for _ in range(8):
        play.read_length("sms", 5)
        play.pass_time(2)
    assert wedged(play) == {}
    assert play.worker().wedged is None
    live(play, 4, waiting=5)
    play.answer(**FACTS)
    assert wedged(play) == NONE


def test_given_queue_polls_that_fail_then_a_backlog_is_unknown_and_no_reason(
    play: Stage,
) -> None:
    """After three intervals without a reading there is no backlog to be idle beside."""
    live(play, AFTER + 4, waiting=5)
    assert wedged(play) == NO_PROGRESS
    for _ in range(9):
        play.beat(processed=40)
        play.pass_time(2)
    assert wedged(play) == NONE


# --- of whom nothing can be said -------------------------------------------------------------


def test_given_the_pool_solo_then_it_is_never_wedged() -> None:
    """While it works it can neither beat nor answer, nor say how much it has done."""
    play = stage(pool="solo", concurrency=1)
    for _ in range(30):
        play.answer(None)
        live(play, 4, waiting=5)
        assert wedged(play) == NONE


@pytest.mark.parametrize("unknown", ["concurrency", "queues"])
def test_given_a_worker_that_has_not_told_slots_or_queues_then_it_is_not_judged(
    unknown: str,
) -> None:
    """Whether it could work, or has work, is not known."""
    play = stage(**{unknown: None})
    live(play, 3 * AFTER, waiting=5)
    assert wedged(play) == NONE


def test_given_a_worker_without_a_count_then_it_is_not_judged() -> None:
    """Without ``processed`` nothing is known of progress."""
    play = Stage()
    play.beat(processed=None, active=None)
    play.answer(**FACTS)
    live(play, 3 * AFTER, waiting=5, processed=None, active=0)
    assert wedged(play) == NONE


def test_given_a_backlog_in_a_queue_of_others_then_it_is_idle(play: Stage) -> None:
    """A worker is measured by the queues that it consumes."""
    play.fleet.queues.note("other", "event", play.wall)
    for _ in range(30):
        play.beat(processed=40)
        play.read_length("other", 100)
        play.pass_time(2)
    assert wedged(play) == NONE
