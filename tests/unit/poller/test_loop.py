"""A poll that fails is counted and told once, and the next one is asked all the same."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from structlog import testing

from celery_sentinel import errors
from celery_sentinel.poller import loop
from celery_sentinel.telemetry import subscription
from tests.servers import deadline
from tests.unit.fleet.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from celery_sentinel.fleet import model

Outcome = Exception | None


class Script:
    """A question that is always due and whose asking ends in one outcome after the other."""

    name = "test"

    def __init__(self, *outcomes: Outcome, due: Outcome = None, closing: Outcome = None) -> None:
        self.outcomes = list(outcomes)
        self.closed = 0
        self.late: float | None = None
        self._due = due
        self._closing = closing

    def due(self, now: float) -> bool:
        """Tell that it is time, or fail at the first look."""
        self.late = now
        failure, self._due = self._due, None
        if failure is not None:
            raise failure
        return bool(self.outcomes)

    def ask(self) -> None:
        """End in the next outcome."""
        outcome = self.outcomes.pop(0)
        if outcome is not None:
            raise outcome

    def close(self) -> None:
        """Count, and fail if told to."""
        self.closed += 1
        if self._closing is not None:
            raise self._closing


class Running:
    """A loop in its thread, and what it writes to."""

    def __init__(self, question: loop.Question) -> None:
        self.fleet: model.Fleet = Stage().fleet
        self.connection = subscription.Subscription(transport="redis", url="redis://localhost")
        self.loop = loop.Loop(
            question,
            fleet=self.fleet,
            connection=self.connection,
            scrub=lambda text: text.replace("hunter2", "***"),
        )
        self.thread = threading.Thread(target=self.loop.run, daemon=True)

    def success(self) -> bool | None:
        """Return how the last poll went, None before the first."""
        with self.fleet.lock.reading():
            poll = self.fleet.polls.get("test")
            return None if poll is None else poll.success


@contextmanager
def running(question: Script) -> Iterator[tuple[Running, Sequence[dict[str, object]]]]:
    """Run a loop until its script has been played, and stop it; yield it and its log lines."""
    with testing.capture_logs() as logged:
        under_way = Running(question)
        under_way.thread.start()
        try:
            deadline.wait_until(lambda: not question.outcomes, 60, "all outcomes")
            yield under_way, logged  # type: ignore[misc]
        finally:
            under_way.loop.stop()
            under_way.thread.join(60)
        assert not under_way.thread.is_alive()


def test_given_answers_then_the_poll_is_timed_and_successful() -> None:
    """Each run is noted with its duration; nothing is logged; the connection ends with it."""
    question = Script(None)
    with running(question) as (under_way, logged):
        deadline.wait_until(under_way.success, 60, "a success")
        poll = under_way.fleet.polls["test"]
        assert poll.duration is not None
        assert 0 <= poll.duration < 60
        assert poll.last_success is not None
    assert list(logged) == []
    assert question.closed == 1


def test_given_failures_then_they_are_counted_told_once_and_recovered_from() -> None:
    """A change of state is a line, with the error and without secrets; each failure is not."""
    failure = errors.BrokerError("no answer from redis://:hunter2@host")
    with running(Script(failure, failure, None)) as (under_way, logged):
        deadline.wait_until(under_way.success, 60, "a success")
    assert [(line["event"], line["poller"]) for line in logged] == [
        ("poll_failing", "test"),
        ("poll_recovered", "test"),
    ]
    assert logged[0]["error"] == "no answer from redis://:***@host"
    assert under_way.connection.failures == {}


def test_given_a_failure_then_the_poll_is_not_successful_and_keeps_its_last_success() -> None:
    """poll_success turns 0; when it last was 1 stays known."""
    with running(Script(None, errors.BrokerError("gone"))) as (under_way, _):
        deadline.wait_until(lambda: under_way.success() is False, 60, "a failure")
        assert under_way.fleet.polls["test"].last_success is not None


@pytest.mark.parametrize("failure", [ValueError("hunter2"), RecursionError(), KeyError(1)])
def test_given_an_exception_nobody_expected_then_it_counts_and_the_thread_goes_on(
    failure: Exception,
) -> None:
    """It is a caught failure of that part, its type is told, and the connection is given up."""
    question = Script(failure, None)
    with running(question) as (under_way, logged):
        deadline.wait_until(under_way.success, 60, "a success")
        assert under_way.connection.failures == {"test": 1}
    assert [line["event"] for line in logged] == ["poll_failing", "poll_recovered"]
    assert str(logged[0]["error"]).startswith(type(failure).__name__)
    assert "hunter2" not in str(logged)
    assert question.closed == 2


def test_given_a_connection_that_cannot_be_closed_then_the_thread_goes_on() -> None:
    """Neither after a failure nor at the end does it raise out of the loop."""
    question = Script(ValueError(), None, closing=OSError("hunter2"))
    with running(question) as (under_way, logged):
        deadline.wait_until(under_way.success, 60, "a success")
    assert under_way.connection.failures == {"test": 3}
    assert "hunter2" not in str(logged)


def test_given_a_look_at_the_clock_that_fails_then_the_next_one_is_taken() -> None:
    """What decides whether to ask may have a defect as well."""
    with running(Script(None, due=ValueError("no"))) as (under_way, logged):
        deadline.wait_until(under_way.success, 60, "a success")
        assert under_way.connection.failures == {"test": 1}
    assert [line["event"] for line in logged] == ["poll_failing", "poll_recovered"]


def test_given_a_loop_that_turns_then_its_beat_is_recent() -> None:
    """The health check reads when it last turned, which is when it asked whether it is time."""
    question = Script(None)
    with running(question) as (under_way, _):
        first = under_way.loop.beat
        deadline.wait_until(lambda: under_way.loop.beat > first, 60, "another turn")
    assert question.late == under_way.loop.beat
