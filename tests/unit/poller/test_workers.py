"""Workers are asked in rounds, new ones out of turn, and for task events where they send none."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from structlog import testing

from celery_sentinel import catalogue, errors, readings
from celery_sentinel.poller import workers
from tests.unit.fleet.stage import WORKER, Stage

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from celery_sentinel.fleet import model

INTERVAL = 30.0
OTHER = "w2@host"


class Asking:
    """Answers for whom it is told to, and remembers what it was asked; stands for Control."""

    def __init__(self, *answering: str) -> None:
        self.answering = answering
        self.rounds: list[tuple[list[str], list[str] | None]] = []
        self.told: list[list[str]] = []
        self.failure: errors.BrokerError | None = None
        self.unreadable = 0
        self.closed = False

    def ask(
        self, *, expected: Collection[str], timeout: float, among: Sequence[str] | None = None
    ) -> list[readings.WorkerReading]:
        """Answer at once."""
        assert timeout == 2.0
        self.rounds.append((sorted(expected), None if among is None else sorted(among)))
        if self.failure is not None:
            raise self.failure
        asked = self.answering if among is None else set(among) & set(self.answering)
        return [readings.WorkerReading(hostname=name, concurrency=4) for name in asked]

    def tell(self, command: str, destination: Sequence[str]) -> None:
        """Remember whom it was sent."""
        assert command == "enable_events"
        if self.failure is not None:
            raise self.failure
        self.told.append(sorted(destination))

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True


class Poll:
    """A poll of a fleet in which a worker beats, on the real clock where the poll reads it."""

    def __init__(self, *answering: str, enable: bool = False) -> None:
        self.play = Stage()
        self.play.now = time.monotonic()
        self.play.stream.connected(0.0, 0.0)
        self.asking = Asking(*answering)
        self.question = workers.WorkerPoll(
            self.asking,  # type: ignore[arg-type]
            self.play.fleet,
            self.play.stream,
            interval=INTERVAL,
            timeout=2.0,
            enable=enable,
        )

    @property
    def fleet(self) -> model.Fleet:
        """The fleet that is asked."""
        return self.play.fleet

    def look(self, later: float = 0.0) -> bool:
        """Tell whether it is time to ask, so many seconds from now."""
        return self.question.due(time.monotonic() + later)


@pytest.fixture
def poll() -> Poll:
    """Return a poll of a worker that answers, not asked to send events."""
    made = Poll(WORKER)
    made.play.beat()
    return made


# --- rounds ----------------------------------------------------------------------------------


def test_given_a_start_then_all_are_asked_at_once_and_again_after_the_interval(
    poll: Poll,
) -> None:
    """A round asks everybody; until the next one is due nobody is asked."""
    assert poll.look()
    poll.question.ask()
    assert poll.asking.rounds == [([WORKER], None)]
    assert poll.play.value(catalogue.WORKER_RESPONDING, WORKER) == 1
    assert not poll.look()
    assert poll.look(later=INTERVAL)


def test_given_no_worker_then_a_round_expects_nobody_in_particular() -> None:
    """At the start no worker has been heard: whoever answers is known from then on."""
    poll = Poll(WORKER)
    assert poll.look()
    poll.question.ask()
    assert poll.asking.rounds == [([], None)]
    assert poll.play.value(catalogue.WORKER_CONCURRENCY, WORKER) == 4


def test_given_a_new_worker_when_it_has_had_time_to_listen_then_it_is_asked_out_of_turn(
    poll: Poll,
) -> None:
    """Two seconds after it was first heard, it alone, and once."""
    poll.look(later=-10)
    poll.question.ask()
    poll.play.beat(OTHER)
    assert not poll.look(later=-workers.NEW_WORKER_AFTER)
    assert poll.look()
    poll.question.ask()
    assert poll.asking.rounds[1:] == [([OTHER], [OTHER])]
    assert not poll.look(later=5)


def test_given_a_new_worker_that_is_too_young_then_a_round_does_not_count_as_its_turn(
    poll: Poll,
) -> None:
    """It may not have listened yet: it is asked again when it has had its time."""
    assert poll.look()
    poll.question.ask()
    assert not poll.look(later=1)
    assert poll.look(later=workers.NEW_WORKER_AFTER)


def test_given_a_younger_worker_when_another_is_asked_out_of_turn_then_it_has_its_own(
    poll: Poll,
) -> None:
    """Newcomers do not take each other's turn."""
    poll.look(later=-10)
    poll.question.ask()
    poll.play.beat(OTHER)
    poll.look(later=-5)
    poll.play.beat("w3@host")
    assert poll.look()
    poll.question.ask()
    assert poll.asking.rounds[1:] == [([OTHER], [OTHER])]
    assert poll.look(later=workers.NEW_WORKER_AFTER)


def test_given_another_process_under_the_name_then_it_is_a_newcomer(poll: Poll) -> None:
    """What the old process answered is not true of the new one."""
    poll.look(later=-10)
    poll.question.ask()
    poll.play.online(pid=8)
    assert not poll.look()
    assert poll.look(later=workers.NEW_WORKER_AFTER)


def test_given_a_newcomer_that_is_silent_then_it_waits_for_the_next_round(poll: Poll) -> None:
    """It has had its turn; nobody is asked twice a second."""
    poll.look(later=-10)
    poll.question.ask()
    poll.play.beat(OTHER)
    poll.look(later=-5)
    poll.question.ask()
    assert poll.play.value(catalogue.WORKER_RESPONDING, OTHER) is None
    assert poll.play.value(catalogue.WORKER_RESPONDING, WORKER) == 1
    assert not poll.look(later=10)


@pytest.mark.parametrize("how", ["offline", "lost"])
def test_given_a_worker_that_is_gone_then_it_is_neither_awaited_nor_a_newcomer(
    poll: Poll, how: str
) -> None:
    """A round does not wait for the dead."""
    if how == "offline":
        poll.play.offline(at=1)
    else:
        poll.play.pass_time(11)
    poll.look(later=-10)
    poll.question.ask()
    assert poll.asking.rounds == [([], None)]
    assert not poll.look(later=10)


def test_given_a_round_that_fails_then_nobody_is_blamed_and_it_is_repeated_soon(
    poll: Poll,
) -> None:
    """Without an answer from the broker nothing is known; the error is the caller's to tell."""
    poll.look(later=-10)
    poll.asking.failure = errors.BrokerError("gone")
    with pytest.raises(errors.BrokerError, match="gone"):
        poll.question.ask()
    assert poll.play.children(catalogue.WORKER_RESPONDING) == {}
    assert not poll.look(later=1)
    assert poll.look(later=workers.RETRY_AFTER)


def test_given_answers_that_cannot_be_read_then_they_are_counted(poll: Poll) -> None:
    """What somebody sends in a worker's place shows among the failures we caught."""
    poll.asking.unreadable = 3
    poll.look()
    poll.question.ask()
    assert poll.play.value(catalogue.FAILURES, "control") == 3


def test_given_the_end_then_the_connection_is_closed(poll: Poll) -> None:
    """Nothing is left behind on the broker."""
    poll.question.close()
    assert poll.asking.closed


# --- task events -----------------------------------------------------------------------------


def test_given_new_workers_then_they_are_asked_for_task_events_together_and_once_more() -> None:
    """A worker says hello before it listens: the first request may go unheard, the second not."""
    poll = Poll(enable=True)
    for name in (WORKER, OTHER):
        poll.play.beat(name)
    poll.look()
    assert poll.asking.told == [[WORKER, OTHER]]
    poll.look(later=workers.EVENTS_TWICE_AFTER - 1)
    assert len(poll.asking.told) == 1
    poll.look(later=workers.EVENTS_TWICE_AFTER + 1)
    poll.look(later=1000)
    poll.look(later=2000)
    assert poll.asking.told == [[WORKER, OTHER]] * 2
    assert poll.play.value(catalogue.CONTROL_REQUESTS, "asked") == 4


def test_given_a_worker_known_to_send_none_then_it_is_asked_each_half_minute() -> None:
    """As long as it starts tasks and no event tells of them."""
    poll = Poll(enable=True)
    for processed in range(3):
        poll.play.beat(processed=processed)
    assert poll.play.worker().events_enabled is False
    for later in (0, 6, 20, 37, 50, 68):
        poll.look(later=later)
    assert len(poll.asking.told) == 4


def test_given_a_worker_that_sends_them_then_it_is_not_asked() -> None:
    """Started with -E, or asked before: its events are there."""
    poll = Poll(enable=True)
    poll.play.received()
    poll.play.jump(1)
    poll.play.beat()
    poll.play.beat(processed=1)
    assert poll.play.worker().events_enabled
    poll.look()
    poll.look(later=100)
    assert poll.asking.told == []


def test_given_another_process_under_the_name_then_it_is_asked_for_events_anew() -> None:
    """The setting does not outlive the process."""
    poll = Poll(enable=True)
    poll.play.beat(pid=7)
    poll.look()
    poll.look(later=6)
    poll.play.online(pid=8)
    poll.look(later=7)
    assert poll.asking.told == [[WORKER]] * 3


@pytest.mark.parametrize("why", ["switched off", "no stream"])
def test_given_nobody_to_hear_them_then_no_events_are_asked_for(why: str) -> None:
    """With events.enable off, or while we are not subscribed, workers are left as they are."""
    poll = Poll(enable=why != "switched off")
    if why == "no stream":
        poll.play.stream.lost(1.0, 1.0, reason="error", error="gone")
    poll.play.beat()
    poll.look()
    poll.look(later=100)
    assert poll.asking.told == []
    poll.question.enable = True
    poll.play.stream.connected(2.0, 2.0)
    poll.look(later=101)
    assert poll.asking.told == [[WORKER]]


def test_given_requests_that_fail_then_they_are_counted_and_repeated_until_one_is_sent() -> None:
    """A request that never left was not made: both are made once the broker takes them."""
    poll = Poll(enable=True)
    poll.play.beat()
    poll.asking.failure = errors.BrokerError("gone")
    with testing.capture_logs() as logged:
        for later in (0, 1, 6, 12):
            poll.look(later=later)
    assert [line["event"] for line in logged] == ["enable_events_failed"] * 3
    assert poll.play.value(catalogue.CONTROL_REQUESTS, "failed") == 3
    poll.asking.failure = None
    for later in (18, 24, 30, 36, 100):
        poll.look(later=later)
    assert len(poll.asking.told) == 2
