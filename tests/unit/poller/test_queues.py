"""Queues are read each few seconds, looked for now and then, and neither costs the other."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from celery_sentinel import errors, poll_results
from celery_sentinel.config import schema
from celery_sentinel.metrics import catalogue
from celery_sentinel.poller import queues
from tests.unit.fleet.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

INTERVAL = 600.0


class Reader:
    """A broker in which every queue holds two messages; stands for any queue reader."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.looked = 0
        self.there: list[tuple[str, str]] = []
        self.failure: errors.BrokerError | None = None
        self.blind: errors.BrokerError | None = None
        self.trouble: str | None = None
        self.closed = False

    def read(self, names: Sequence[str]) -> poll_results.BrokerReading:
        """Return two messages for each queue."""
        self.asked.append(sorted(names))
        if self.failure is not None:
            raise self.failure
        found = {name: poll_results.QueueReading(length=2) for name in names}
        return poll_results.BrokerReading(queues=found, round_trip=0.001, trouble=self.trouble)

    def discover(self) -> Iterable[tuple[str, str]]:
        """Return what is there."""
        self.looked += 1
        if self.blind is not None:
            raise self.blind
        return self.there

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True


class Poll:
    """A poll of one configured queue, each ten minutes of the real clock."""

    def __init__(self) -> None:
        self.play = Stage(schema.Config(queues=schema.Queues(watch=("mail",))))
        self.reader = Reader()
        self.question = queues.QueuePoll(self.reader, self.play.fleet, interval=INTERVAL)

    def lengths(self) -> dict[tuple[str, ...], float]:
        """Return the depths that show."""
        return self.play.children(catalogue.QUEUE_LENGTH)


@pytest.fixture
def poll() -> Poll:
    """Return a poll that has not been made."""
    return Poll()


def test_given_a_poll_then_the_next_is_due_after_the_interval(poll: Poll) -> None:
    """The first is due at once."""
    assert poll.question.due(time.monotonic())
    poll.question.ask()
    assert not poll.question.due(time.monotonic())
    assert poll.question.due(time.monotonic() + INTERVAL)
    assert poll.lengths() == {("mail",): 2}


def test_given_queues_that_are_discovered_then_they_are_read_at_once(poll: Poll) -> None:
    """What is found is known by its source, and looked for again only after a while."""
    poll.reader.there = [("found", "binding"), ("x.celery.pidbox", "binding")]
    for _ in range(3):
        poll.question.ask()
    assert poll.reader.asked == [["found", "mail"]] * 3
    assert poll.reader.looked == 1
    assert poll.play.value(catalogue.QUEUE_INFO, "found", "binding", "work") == 1


def test_given_a_reading_that_fails_then_the_error_is_the_callers(poll: Poll) -> None:
    """The last values stay; the poll is not repeated before its time."""
    poll.question.ask()
    poll.reader.failure = errors.BrokerError("gone")
    with pytest.raises(errors.BrokerError, match="gone"):
        poll.question.ask()
    assert poll.lengths() == {("mail",): 2}
    assert not poll.question.due(time.monotonic())


def test_given_a_look_around_that_fails_then_known_queues_are_read_all_the_same(
    poll: Poll,
) -> None:
    """Where SCAN is forbidden, or the management API down, depths are still to be had."""
    poll.reader.blind = errors.BrokerError("NOPERM")
    with pytest.raises(errors.BrokerError, match="NOPERM"):
        poll.question.ask()
    assert poll.lengths() == {("mail",): 2}


def test_given_a_part_that_could_not_be_asked_then_the_rest_is_taken_over(poll: Poll) -> None:
    """What is known is shown, and the poll fails with the reason."""
    poll.reader.trouble = "management API: 401"
    with pytest.raises(errors.BrokerError, match="401"):
        poll.question.ask()
    assert poll.lengths() == {("mail",): 2}


@pytest.mark.parametrize("name", ["a\0b", "q" * 251, "\ud800"])
def test_given_a_name_that_had_to_be_cleaned_then_it_is_not_asked_for(
    poll: Poll, name: str
) -> None:
    """Under its label we would read another queue, and say 0 of one that is full."""
    poll.reader.there = [(name, "binding")]
    poll.question.ask()
    assert poll.reader.asked == [["mail"]]
    assert len(poll.play.fleet.queues.by_name) == 2


def test_given_the_end_then_the_connection_is_closed(poll: Poll) -> None:
    """Nothing is left behind on the broker."""
    poll.question.close()
    assert poll.reader.closed
