"""A silence amid which we subscribed anew is a gap only if a worker beat all the while."""

from __future__ import annotations

import pytest

from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import WORKER, Stage

SILENCE = 16.0


def silenced(play: Stage, *hostnames: str, silence: float = SILENCE) -> float:
    """Let workers beat and fall silent, and subscribe anew; return when they were heard last."""
    play.fleet.resubscribed(play.now)
    play.jump(1)
    for name in hostnames or (WORKER,):
        play.beat(name, clock=100)
        play.answer(name, pool="prefork")
    last = play.now
    play.pass_time(silence)
    assert play.fleet.deaf_since(play.now) == last
    play.fleet.resubscribed(play.now, amid=last)
    play.jump(1)
    return last


def test_given_a_worker_that_beat_all_the_while_then_we_were_deaf(play: Stage) -> None:
    """Its clock went on with each beat that was not heard; that is told once."""
    last = silenced(play)
    play.beat(clock=109)
    assert play.fleet.deafness(play.now) == last
    assert play.fleet.deafness(play.now) is None
    assert play.fleet.doubt is None


def test_given_a_worker_that_was_frozen_then_we_were_not_deaf(play: Stage) -> None:
    """It goes on where it stood."""
    silenced(play)
    play.beat(clock=101)
    assert play.fleet.deafness(play.now) is None


def test_given_a_new_process_then_nothing_is_proven(play: Stage) -> None:
    """It was not there to be heard."""
    silenced(play)
    play.online(pid=8, clock=300)
    assert play.fleet.deafness(play.now) is None


def test_given_one_of_two_that_beat_then_we_were_deaf(play: Stage) -> None:
    """The other may have been killed at the same time."""
    last = silenced(play, "w1@a", "w2@a")
    play.beat("w2@a", clock=120)
    assert play.fleet.deafness(play.now) == last


def test_given_nobody_for_ten_seconds_then_the_doubt_ends(play: Stage) -> None:
    """Who beats is heard at once; what comes later was not there."""
    silenced(play)
    play.jump(11)
    play.beat("w9@a")
    assert play.fleet.deafness(play.now) is None
    assert play.fleet.doubt is None
    play.beat(clock=200)
    assert play.fleet.deafness(play.now) is None


def test_given_a_second_renewal_that_is_heard_then_the_whole_silence_was_a_gap(play: Stage) -> None:
    """The first was as dead as the one before."""
    last = silenced(play)
    play.jump(60)
    play.fleet.resubscribed(play.now, amid=play.now - 60)
    play.jump(1)
    play.beat(clock=150)
    assert play.fleet.deafness(play.now) == last


@pytest.mark.parametrize("clock", [None, 140])
def test_given_a_worker_without_clocks_then_to_be_heard_at_once_proves_it(
    play: Stage, clock: int | None
) -> None:
    """Of Celery's own there is none such; a gap too many is better than one too few."""
    play.beat(clock=None)
    last = silenced(play, "w1@a")
    play.beat(clock=clock)
    assert play.fleet.deafness(play.now) == last


def test_given_a_break_of_the_connection_then_there_is_no_doubt(play: Stage) -> None:
    """That is a gap by itself."""
    silenced(play)
    play.fleet.resubscribed(play.now)
    assert play.fleet.doubt is None


@pytest.mark.parametrize(("answers", "deaf"), [(True, True), (False, False)])
def test_given_a_question_amid_the_silence_then_its_answer_tells(
    play: Stage, answers: bool, deaf: bool
) -> None:
    """A frozen worker finds all the questions when it goes on, and its clock runs on with them."""
    play.fleet.resubscribed(play.now)
    play.jump(1)
    play.beat(clock=100)
    play.answer(pool="prefork")
    last = play.now
    play.pass_time(8)
    play.answer(WORKER if answers else None, pool="prefork")
    play.pass_time(8)
    play.fleet.resubscribed(play.now, amid=last)
    play.jump(1)
    play.beat(clock=101 if answers else 300)
    assert (play.fleet.deafness(play.now) == last) == deaf


def test_given_a_renewal_then_the_silent_have_a_moment_to_be_heard(play: Stage) -> None:
    """Their silence was ours where the whole connection was dead; then it is theirs."""
    play.fleet.resubscribed(play.now)
    play.jump(1)
    play.beat(clock=100)
    play.answer(pool="prefork")
    last = play.now
    for _ in range(32):
        play.jump(0.5)
        play.fleet.tick(play.now, play.wall, listening=True, alive_at=last)
    play.fleet.resubscribed(play.now, amid=last)
    play.pass_time(9)
    assert play.value(catalogue.WORKER_LOST) == 0
    play.pass_time(2)
    assert play.value(catalogue.WORKER_LOST) == 1
