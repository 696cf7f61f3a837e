"""What is odd about a worker is said in words, and so is what cannot be known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from celery_sentinel.status import worker_notes

if TYPE_CHECKING:
    from tests.unit.fleet.stage import Stage


def notes(play: Stage) -> list[str]:
    """Return what is said of the workers now."""
    return worker_notes.build(list(play.fleet.workers), play.now)


def only(play: Stage) -> str:
    """Return the only note there is."""
    (note,) = notes(play)
    return note


def test_given_a_worker_that_fares_well_then_nothing_is_said(play: Stage) -> None:
    """A note is read because there are few."""
    play.beat()
    play.answer(pool="prefork", queues=("mail",))
    assert notes(play) == []


@pytest.mark.parametrize("pool", ["solo", None])
def test_given_a_worker_that_may_be_at_work_then_its_silence_is_told(
    play: Stage, pool: str | None
) -> None:
    """Since when, and that nobody knows more."""
    play.beat()
    play.answer(pool=pool)
    play.pass_time(125)
    assert "silent for 2 min" in only(play)
    assert ("perhaps solo" in only(play)) == (pool is None)


def test_given_running_tasks_of_a_worker_that_fell_silent_then_nobody_knows(play: Stage) -> None:
    """They are lost as soon as its process is known to be gone, and are said of no more."""
    play.beat()
    play.answer(pool="prefork")
    play.started()
    play.pass_time(30)
    assert "fell silent 30 s ago over 1 running task(s)" in only(play)
    play.gone()
    play.tick()
    assert notes(play) == []


def test_given_a_worker_that_beats_and_never_answers_then_its_remote_control_seems_off(
    play: Stage,
) -> None:
    """That is not for want of events."""
    for _ in range(3):
        play.beat()
        play.answer(None)
        play.pass_time(2)
    play.beat()
    assert "remote control seems to be off" in only(play)


def test_given_a_worker_that_consumes_less_than_before_then_what_it_left_is_named(
    play: Stage,
) -> None:
    """One queue, or all of them."""
    play.beat()
    play.answer(pool="prefork", queues=("mail", "sms"))
    play.answer(pool="prefork", queues=("mail",))
    play.tick()
    assert only(play).endswith("no longer consumes sms, as it did before.")
    for _ in range(2):
        play.answer(pool="prefork", queues=())
    play.tick()
    assert "consumes no queue any more (mail, sms)" in only(play)


def test_given_many_odd_workers_then_twenty_are_named(play: Stage) -> None:
    """A page of notes is no help; those that fare well take no place."""
    for number in range(60):
        play.beat(f"w{number}@host", pid=1)
        if number % 2:
            play.beat(f"w{number}@host", pid=2)
            play.beat(f"w{number}@host", pid=1)
    assert len(notes(play)) == worker_notes.MOST_WORKERS
