"""Workers that send no task events are asked to, twice, and again while they work unseen."""

from __future__ import annotations

import pytest
from structlog import testing

from celery_sentinel import errors
from celery_sentinel.metrics import catalogue
from celery_sentinel.poller import workers
from tests.unit.fleet.stage import WORKER
from tests.unit.poller.asking import OTHER, Poll


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
    assert [line["event"] for line in logged] == ["enable_events_failed"]  # a change of state
    assert poll.play.value(catalogue.CONTROL_REQUESTS, "failed") == 3
    poll.asking.failure = None
    for later in (18, 24, 30, 36, 100):
        poll.look(later=later)
    assert len(poll.asking.told) == 2
