"""Answers to a poll overtake the events of the tasks they name, and nothing counts otherwise.

Two daemons on one broker poll at moments of their own; what they count may not depend on it.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from celery_sentinel import poll_results
from celery_sentinel.fleet import worker_replies
from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import EPOCH, ID, QUEUE, TASK, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Of the tasks that a worker takes in advance, this one is received at 1 and begins at 3.
EVENTS: dict[str, Callable[[Stage], None]] = {
    "sent": lambda play: play.sent(at=0.0),
    "received": lambda play: play.received(at=1.0),
    "started": lambda play: play.started(at=3.0),
    "ended": lambda play: play.ended(at=4.0),
}
ANSWER = "answer"


def orders() -> Iterator[tuple[str, ...]]:
    """Yield each order in which one or two answers come before the end, the sent anywhere.

    A worker's own events keep their order.
    """
    for answered in (1, 2):
        found = {
            order
            for order in itertools.permutations([*EVENTS, *[ANSWER] * answered])
            if order.index("received") < order.index("started") < order.index("ended")
            and ANSWER not in order[order.index("ended") :]
        }
        yield from sorted(found)


def observed(play: Stage, metric: catalogue.Metric) -> int:
    """Return how many waits were observed, whichever queue they count under."""
    return sum(play.distribution(metric, *labels)[0] for labels in play.children(metric))


def test_given_all_orders_then_there_are_as_many_as_there_must_be() -> None:
    """One answer has three places and two have six; the sent has one more than all others."""
    assert len(list(orders())) == 3 * 5 + 6 * 6


@pytest.mark.parametrize("passing", [0.0, worker_replies.MARGIN + 1], ids=["at once", "slowly"])
@pytest.mark.parametrize("told", [0.5, 3.0, 3.2], ids=["early", "exact", "late"])
@pytest.mark.parametrize("order", list(orders()), ids="-".join)
def test_given_answers_in_between_then_each_event_and_each_wait_counts_once(
    order: tuple[str, ...], told: float, passing: float, play: Stage
) -> None:
    """``told`` is what the worker says of the start, which it derives from another clock."""
    task = poll_results.ActiveTask(task_id=ID, name=TASK, queue=QUEUE, started_at=EPOCH + told)
    play.beat(active=1)
    for step in order:
        if step == ANSWER:
            play.answer(active=(task,))
        else:
            EVENTS[step](play)
        play.jump(passing)

    for metric in (catalogue.TASK_RECEIVED, catalogue.TASK_STARTED, catalogue.TASK_SUCCEEDED):
        assert play.total(metric) == 1
    assert play.total(catalogue.TASK_REDELIVERED) == 0
    assert play.total(catalogue.TASKS_IN_FLIGHT) == 0
    assert play.worker().running == {}
    assert play.record().unclosed == 0
    assert observed(play, catalogue.TASK_PREFETCH_WAIT) == 1
    assert observed(play, catalogue.TASK_QUEUE_WAIT) == 1
