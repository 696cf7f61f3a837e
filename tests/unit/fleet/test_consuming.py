"""A worker that has ceased to consume is told from one that never did, or left one queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from celery_sentinel.fleet import worker_verdict
from tests.unit.fleet.test_worker_stuck import FACTS, NONE, stage, wedged

if TYPE_CHECKING:
    from tests.unit.fleet.stage import Stage


NOT_CONSUMING = {**NONE, worker_verdict.NOT_CONSUMING: 1}


@pytest.fixture
def play() -> Stage:
    """Return a fleet with one worker that consumes two queues."""
    return stage()


def polled(play: Stage, *queues: str, times: int = 1, **facts: Any) -> None:
    """Let it beat and answer that it consumes these queues."""
    for _ in range(times):
        play.beat(processed=40)
        play.answer(**{**FACTS, **facts, "queues": queues})
        play.pass_time(2)


@pytest.mark.parametrize("pool", ["prefork", "threads", "gevent", "eventlet", "solo", None])
def test_given_two_answers_without_a_queue_after_one_with_then_it_consumes_nothing(
    pool: str | None,
) -> None:
    """It beats and answers, in whatever pool; to consume again ends that."""
    play = stage(pool=pool)
    polled(play, pool=pool)
    assert wedged(play) == NONE
    polled(play, pool=pool)
    assert wedged(play) == NOT_CONSUMING
    polled(play, "mail", pool=pool)
    assert wedged(play) == NONE


def test_given_a_worker_without_queues_from_its_start_then_it_is_well(play: Stage) -> None:
    """It was started so, and so was the process that has taken its place."""
    play = stage(queues=())
    polled(play, times=3)
    assert wedged(play) == NONE
    polled(play, "mail")
    play.online(pid=8)
    polled(play, times=3)
    assert wedged(play) == NONE


def test_given_one_of_two_queues_then_it_works(play: Stage) -> None:
    """It has left one, and that is not for us to judge."""
    polled(play, "mail", times=3)
    assert wedged(play) == NONE
    assert play.worker().left_queues == ("sms",)


def test_given_answers_that_do_not_tell_queues_then_nothing_is_concluded(play: Stage) -> None:
    """A question that was lost is no answer."""
    for _ in range(3):
        play.beat(processed=40)
        play.answer(**{**FACTS, "queues": None})
        play.pass_time(2)
    assert wedged(play) == NONE
