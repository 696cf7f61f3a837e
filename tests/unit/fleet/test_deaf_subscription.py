"""The silence of a whole fleet is doubted once, and again only while workers answer."""

from __future__ import annotations

import itertools

import pytest

from celery_sentinel import poll_results
from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import WORKER, Stage


@pytest.fixture
def play() -> Stage:
    """Return a fleet whose stream has just been subscribed."""
    stage = Stage()
    stage.fleet.resubscribed(stage.now)
    stage.jump(1)
    return stage


def doubts(play: Stage, seconds: float) -> list[float]:
    """Pass time, subscribing anew when told to; return when that was, in seconds from now."""
    begun, found = play.now, []
    while play.now < begun + seconds:
        play.pass_time(0.5)
        if play.fleet.deaf_since(play.now) is not None:
            found.append(play.now - begun)
            play.fleet.resubscribed(play.now)
            play.jump(0.1)
    return found


def test_a_dead_fleet_is_doubted_once(play: Stage) -> None:
    """Nobody beats any more: one new subscription, no other for hours, and up stays 0."""
    for name in ("w1@a", "w2@a"):
        play.beat(name)
        answered(play, name)
    assert doubts(play, 4 * 3600) == [15.5]
    assert play.children(catalogue.WORKER_UP) == {("w1@a",): 0, ("w2@a",): 0}
    play.beat("w1@a")
    assert doubts(play, 100) == [15.5]


def test_the_silence_began_with_the_last_event(play: Stage) -> None:
    """How long we may have been deaf is counted from there, whoever sent it."""
    play.beat()
    answered(play, WORKER)
    play.jump(1)
    play.sent()
    last = play.now
    play.pass_time(15)
    assert play.fleet.deaf_since(play.now) is None
    play.pass_time(1)
    assert play.fleet.deaf_since(play.now) == last


def test_no_silence_is_suspicious_without_a_beat(play: Stage) -> None:
    """Without heartbeats, after a goodbye, or before anything was heard, silence is normal."""
    play.started()
    assert doubts(play, 300) == []
    play.beat("w2@a")
    play.offline("w2@a")
    assert doubts(play, 300) == []


def test_long_intervals_are_waited_for_three_times(play: Stage) -> None:
    """The shortest interval among the workers that beat is what counts."""
    play.beat("w1@a", freq=60.0)
    answered(play, "w1@a")
    assert doubts(play, 400) == [180.5]
    play.beat("w1@a", freq=60.0)
    play.beat("w2@a", freq=10.0)
    answered(play, "w2@a")
    assert doubts(play, 100) == [30.5]


def test_a_worker_that_answers_is_doubted_again_and_ever_later(play: Stage) -> None:
    """It lives, so we are deaf: each attempt in vain doubles the wait, up to a quarter hour."""
    play.beat()
    found = []
    for _ in range(240):
        found += [play.now - 1000 for _ in doubts(play, 30)]
        answered(play, WORKER)
    waits = [later - earlier for earlier, later in itertools.pairwise(found)]
    assert 4 <= len(found) <= 20
    assert all(later > earlier - 2 for earlier, later in itertools.pairwise(waits))
    assert 900 <= waits[-1] < 932


def test_a_busy_solo_worker_may_be_silent_for_longer(play: Stage) -> None:
    """The pool solo neither beats nor answers while it runs a task: a minute, then it costs little.

    What has not told its pool may be solo.
    """
    play.beat()
    assert doubts(play, 3600) == [60.5]
    play.beat()
    answered(play, WORKER, pool="solo")
    assert doubts(play, 3600) == [60.5]


def test_time_in_which_we_did_not_run_is_no_silence(play: Stage) -> None:
    """A daemon that was stopped has not been deaf by its subscription's fault."""
    play.beat()
    play.tick()
    play.jump(120)
    play.tick()
    assert play.fleet.deaf_since(play.now) is None


def test_nobody_is_accused_while_the_broker_is_silent_too(play: Stage) -> None:
    """A half-open connection is not the workers' fault; one sign of life of the broker, and it is.

    The broker was last heard when they were.
    """
    play.beat()
    answered(play, WORKER)
    last = play.now
    while play.now < last + 12:
        play.now += 0.5
        play.wall += 0.5
        play.fleet.tick(play.now, play.wall, listening=True, alive_at=last + 1)
    assert play.children(catalogue.WORKER_UP) == {}
    play.fleet.tick(play.now, play.wall, listening=True, alive_at=play.now)
    assert play.children(catalogue.WORKER_UP) == {(WORKER,): 0}


def answered(play: Stage, hostname: str, *, pool: str = "prefork") -> None:
    """Apply a worker's answer to our questions."""
    reading = poll_results.WorkerReading(hostname=hostname, pid=None, pool=pool)
    play.fleet.apply_answers([reading], asked_at=play.now, now=play.now, wall=play.wall)


@pytest.mark.parametrize(
    ("beats", "told"),
    [(20, 60.5), (40, 50.5)],
    ids=["who has hardly come back", "who has settled"],
)
def test_who_comes_back_with_the_broker_may_leave_again_at_first(
    play: Stage, beats: int, told: float
) -> None:
    """A worker that finds its broker may lose it once more before all of its connections stand."""
    play.beat()
    answered(play, WORKER)
    play.fleet.resubscribed(play.now)
    back = play.now
    for _ in range(beats):
        play.pass_time(1)
        play.beat()
    while play.children(catalogue.WORKER_UP) != {(WORKER,): 0}:
        play.pass_time(0.5)
    assert play.now - back == told


def test_a_newcomer_has_nothing_to_come_back_to(play: Stage) -> None:
    """One that was not known before the break is judged as ever."""
    play.fleet.resubscribed(play.now)
    play.pass_time(1)
    play.beat()
    answered(play, WORKER)
    play.pass_time(11)
    assert play.children(catalogue.WORKER_UP) == {(WORKER,): 0}
