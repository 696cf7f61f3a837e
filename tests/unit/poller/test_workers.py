"""Workers are asked in rounds, and new ones out of turn."""

from __future__ import annotations

import pytest

from celery_sentinel import errors
from celery_sentinel.metrics import catalogue
from celery_sentinel.poller import workers
from tests.unit.fleet.stage import WORKER
from tests.unit.poller.asking import INTERVAL, OTHER, Poll


@pytest.fixture
def poll() -> Poll:
    """Return a poll of a worker that answers, not asked to send events."""
    made = Poll(WORKER)
    made.play.beat()
    return made


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
    """Two seconds after it was first heard, it alone, and once if it answers."""
    poll.look(later=-10)
    poll.question.ask()
    poll.asking.answering = (WORKER, OTHER)
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


def test_given_a_newcomer_that_is_silent_then_it_is_asked_once_more(poll: Poll) -> None:
    """One that starts slowly did not listen yet, which is no fault of its own."""
    poll.look(later=-10)
    poll.question.ask()
    poll.play.beat(OTHER)
    poll.look(later=-5)
    poll.question.ask()
    assert poll.play.value(catalogue.WORKER_RESPONDING, OTHER) is None
    assert poll.play.value(catalogue.WORKER_RESPONDING, WORKER) == 1
    assert not poll.look(later=workers.ASKED_TWICE_AFTER - 1)
    assert poll.look(later=workers.ASKED_TWICE_AFTER)


def test_given_a_newcomer_that_is_silent_twice_then_it_waits_for_the_next_round(
    poll: Poll, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has had its turns; nobody is asked twice a second."""
    monkeypatch.setattr(workers, "ASKED_TWICE_AFTER", 0.0)
    poll.look(later=-10)
    poll.question.ask()
    poll.play.beat(OTHER)
    poll.look(later=-5)
    for _ in range(2):
        assert poll.look()
        poll.question.ask()
    assert poll.asking.rounds[1:] == [([OTHER], [OTHER])] * 2
    assert poll.play.value(catalogue.WORKER_RESPONDING, OTHER) == 0
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
