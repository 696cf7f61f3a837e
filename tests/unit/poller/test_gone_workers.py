"""Whose mailbox is looked for, when, and what is made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from celery_sentinel import errors
from celery_sentinel.metrics import catalogue
from celery_sentinel.poller import gone_workers
from tests.unit.fleet.stage import WORKER, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

OTHER = "w2@host"


class Looking:
    """A broker that knows the workers ``there``; fails with ``failure``."""

    lasting = True

    def __init__(self, *there: str) -> None:
        self.there = set(there)
        self.failure: errors.BrokerError | None = None
        self.looks: list[tuple[str, ...]] = []
        self.answered = -1

    def begin(self, names: Sequence[str]) -> None:
        """Note who is looked for."""
        self.looks.append(tuple(names))
        if self.failure is not None:
            raise self.failure

    def gone(self, names: Sequence[str], *, answered: int) -> set[str]:
        """Return who is not there."""
        self.answered = answered
        return set(names) - self.there


class Case:
    """A fleet with a silent worker that ran a task, and a neighbour that beats."""

    def __init__(self, *there: str) -> None:
        self.play = Stage()
        self.looking = Looking(*there)
        self.inquest = gone_workers.GoneWorkers(self.looking, self.play.fleet)
        for name in (WORKER, OTHER):
            self.play.beat(name)
            self.play.answer(name, pool="prefork", among=[name])
        self.play.started()
        self.wait(11)

    def wait(self, seconds: float) -> None:
        """Let time pass in which the neighbour beats, as it does."""
        for _ in range(int(seconds)):
            self.play.pass_time(1)
            self.play.beat(OTHER)

    def round(self, *answered: str) -> bool:
        """Make a round if one is due; tell whether it was."""
        due = self.inquest.due(self.play.now)
        if due:
            self.inquest.begin(self.play.now)
            self.inquest.end(answered or (OTHER,))
            self.play.tick()
        return due

    @property
    def lost(self) -> float:
        """How many tasks are lost."""
        return self.play.total(catalogue.TASK_LOST)


def test_given_a_silent_worker_without_a_mailbox_then_its_task_is_lost() -> None:
    """One look, in which the neighbour that is heard and answers is counted."""
    case = Case()
    assert case.round()
    assert case.looking.looks == [(WORKER,)]
    assert case.looking.answered == 1
    assert case.lost == 1
    case.wait(60)
    assert not case.round()


def test_given_a_frozen_worker_then_it_is_looked_for_three_times_out_of_turn() -> None:
    """Then with the regular rounds, which are not asked for its sake."""
    case = Case(WORKER)
    for _ in range(100):
        case.round()
        case.wait(1)
    assert len(case.looking.looks) == len(gone_workers.FIRST)
    assert case.lost == 0


def test_given_a_worker_that_answers_then_it_is_not_gone() -> None:
    """Whatever the broker knows."""
    case = Case()
    assert case.round(WORKER, OTHER)
    assert case.lost == 0


def test_given_answers_of_strangers_then_they_are_not_counted() -> None:
    """Anybody may answer; who is heard as well lives."""
    case = Case()
    case.round(OTHER, *(f"forged{number}@host" for number in range(500)))
    assert case.looking.answered == 1


def test_given_a_broker_that_fails_then_the_poll_has_failed_and_nobody_is_gone() -> None:
    """It is asked again with the next round."""
    case = Case()
    case.looking.failure = errors.BrokerError("refused")
    case.round()
    with pytest.raises(errors.BrokerError, match="refused"):
        case.inquest.raise_trouble()
    assert case.lost == 0
    case.inquest.raise_trouble()


def test_given_a_worker_that_has_never_answered_then_it_is_looked_for_once_it_is_quiet() -> None:
    """Unless it beat over two questions: then it has no mailbox, it seems."""
    play = Stage()
    looking = Looking()
    asked = gone_workers.GoneWorkers(looking, play.fleet)
    play.beat()
    play.pass_time(7)
    assert asked.due(play.now)
    for _ in range(3):
        play.answer(None)
        play.beat()
    play.pass_time(7)
    assert not asked.due(play.now)


def test_given_a_worker_that_is_heard_after_the_look_then_it_is_well() -> None:
    """What it says goes before what a broker does not know."""
    case = Case()
    case.inquest.due(case.play.now)
    case.inquest.begin(case.play.now)
    case.play.jump(1)
    case.play.beat()
    case.inquest.end([OTHER])
    case.play.tick()
    assert case.lost == 0
    assert case.play.value(catalogue.WORKER_UP, WORKER) == 1
