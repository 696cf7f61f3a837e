"""Events overtake each other, and the numbers come out as if they had not."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from celery_sentinel.fleet import task_order, task_series
from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import ID, QUEUE, TASK, WORKER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.unit.fleet.stage import Stage

WHERE = (TASK, QUEUE)
UNKNOWN_QUEUE = (TASK, "unknown")


def in_flight(play: Stage) -> dict[str, int]:
    """Return how many tasks are in flight by state, over all series."""
    found = {"sent": 0, "received": 0, "started": 0}
    for labels, count in play.children(catalogue.TASKS_IN_FLIGHT).items():
        found[labels[2]] += count
    return found


def test_given_received_first_when_sent_comes_then_its_queue_is_learnt(play: Stage) -> None:
    """A task-sent that was overtaken moves the task to the queue it names."""
    play.received(at=1)
    play.sent(at=0)
    play.started(at=2)
    assert play.children(catalogue.TASK_STARTED) == {WHERE: 1, UNKNOWN_QUEUE: 0}
    assert play.value(catalogue.TASKS_IN_FLIGHT, *WHERE, "started") == 1
    assert play.value(catalogue.TASKS_IN_FLIGHT, *UNKNOWN_QUEUE, "received") == 0
    assert play.distribution(catalogue.TASK_QUEUE_WAIT, *WHERE) == (1, 2.0)


@pytest.mark.parametrize("ends", [False, True])
def test_given_started_first_when_sent_comes_then_its_wait_is_observed_late(
    play: Stage, ends: bool
) -> None:
    """The wait of a task that started, or even ended, before its task-sent came is not lost."""
    play.received(at=1)
    play.started(at=3)
    if ends:
        play.ended(at=4)
    play.sent(at=0)
    assert play.distribution(catalogue.TASK_QUEUE_WAIT, *WHERE) == (1, 3.0)
    assert in_flight(play) == {"sent": 0, "received": 0, "started": 0 if ends else 1}


def test_given_an_overtaken_sent_when_it_is_the_later_stamp_then_the_wait_is_clamped(
    play: Stage,
) -> None:
    """task-sent is stamped after the publish, perhaps after the start: that wait is 0."""
    play.received(at=1.0)
    play.started(at=1.1)
    play.sent(at=1.2)
    assert play.distribution(catalogue.TASK_QUEUE_WAIT, *WHERE) == (1, 0.0)
    assert play.value(catalogue.WAIT_CLAMPS) == 1


def test_given_an_inferred_queue_when_sent_names_another_then_sent_is_believed(
    play: Stage,
) -> None:
    """What task-sent says is better evidence than what earlier tasks of the name did."""
    play.sent("other", queue="bulk")
    play.received(at=1)
    assert play.record().series.queue_name == "bulk"
    play.sent(at=0)
    assert play.record().series.queue_name == QUEUE


def test_given_an_orphan_when_its_task_sent_comes_late_then_it_has_a_name(play: Stage) -> None:
    """An orphan takes name and queue from whatever tells them, task-sent too."""
    play.started(at=1)
    play.sent(at=0)
    play.ended(at=2)
    assert play.value(catalogue.TASK_SUCCEEDED, *WHERE) == 1
    assert in_flight(play) == {"sent": 0, "received": 0, "started": 0}


@pytest.mark.parametrize("ends", [False, True])
def test_given_started_before_received_then_the_task_does_not_run_twice(
    play: Stage, ends: bool
) -> None:
    """Pools without batches invert events: a belated task-received only tells the name."""
    play.started(at=2)
    if ends:
        play.ended(at=3)
    play.received(at=1)
    assert in_flight(play) == {"sent": 0, "received": 0, "started": 0 if ends else 1}
    assert play.record().series.name == TASK
    assert play.children(catalogue.TASK_REDELIVERED) == {}
    assert play.distribution(catalogue.TASK_PREFETCH_WAIT, "unknown") == (1, 1.0)


def test_given_succeeded_before_started_then_the_task_stays_closed_and_its_wait_counts(
    play: Stage,
) -> None:
    """A start whose end is known already leaves nothing in flight."""
    play.sent(at=0)
    play.received(at=1)
    play.ended(at=5)
    play.started(at=3)
    assert in_flight(play) == {"sent": 0, "received": 0, "started": 0}
    assert play.value(catalogue.TASK_STARTED, *WHERE) == 1
    assert play.distribution(catalogue.TASK_QUEUE_WAIT, *WHERE) == (1, 3.0)


def test_given_succeeded_then_sent_before_started_then_both_waits_count(play: Stage) -> None:
    """An end that overtook its start is followed by the task-sent, and then by the start."""
    play.received(at=1)
    play.ended(at=5)
    play.sent(at=0)
    play.started(at=3)
    assert play.distribution(catalogue.TASK_QUEUE_WAIT, *WHERE) == (1, 3.0)
    assert play.distribution(catalogue.TASK_PREFETCH_WAIT, QUEUE) == (1, 2.0)
    assert in_flight(play) == {"sent": 0, "received": 0, "started": 0}


def test_given_a_late_first_receipt_when_the_retry_is_known_then_nothing_was_redelivered(
    play: Stage,
) -> None:
    """The next attempt, on another worker, may be received before the first is heard of."""
    play.received(at=5, retries=1, hostname="w2@host")
    play.received(at=1, retries=0)
    assert play.children(catalogue.TASK_REDELIVERED) == {}
    assert play.record().retries == 1
    assert play.record().received == 1_700_000_005.0


def attempts(play: Stage, retries: int) -> list[list[Callable[[], None]]]:
    """Return the events of each attempt of a task that is retried ``retries`` times."""

    def attempt(n: int) -> list[Callable[[], None]]:
        end = "retried" if n < retries else "succeeded"
        return [
            lambda: play.received(at=10 * n + 1, retries=n),
            lambda: play.started(at=10 * n + 2),
            lambda: play.ended(end, at=10 * n + 3, exception="TimeoutError()", runtime=1.0),
        ]

    return [attempt(n) for n in range(retries + 1)]


def interleavings(lengths: list[int]) -> Iterator[list[int]]:
    """Yield each order of the attempts' events that keeps the order within each attempt."""
    everything = [n for n, length in enumerate(lengths) for _ in range(length)]
    seen = set()
    for order in itertools.permutations(everything):
        if order not in seen:
            seen.add(order)
            yield list(order)


@pytest.mark.parametrize("order", list(interleavings([3, 3])), ids=lambda o: "".join(map(str, o)))
def test_given_a_retry_in_any_order_then_each_event_counts_once_and_nothing_stays(
    play: Stage, order: list[int]
) -> None:
    """Any interleaving of two attempts counts each event, and none is negative on the way."""
    left = attempts(play, retries=1)
    for n in order:
        left[n].pop(0)()
        assert min(in_flight(play).values()) >= 0
        assert sum(in_flight(play).values()) <= 1
    assert play.total(catalogue.TASK_RECEIVED) == 2
    assert play.total(catalogue.TASK_STARTED) == 2
    assert play.total(catalogue.TASK_RETRIED) == 1
    assert play.total(catalogue.TASK_SUCCEEDED) == 1


# Within one worker only the task-retried of an attempt comes late: before or after the start of
# the next, or after its end.
RETRIED_COMES = [[0, 0, 0, 1, 1, 1], [0, 0, 1, 0, 1, 1], [0, 0, 1, 1, 0, 1], [0, 0, 1, 1, 1, 0]]


@pytest.mark.parametrize("order", RETRIED_COMES, ids=lambda o: "".join(map(str, o)))
def test_given_the_orders_celery_produces_then_the_task_is_over_at_the_end(
    play: Stage, order: list[int]
) -> None:
    """However late task-retried is, the retry is no redelivery and the task has ended."""
    left = attempts(play, retries=1)
    for n in order:
        left[n].pop(0)()
    assert play.record().state == task_series.CLOSED
    assert play.record().unclosed == 0
    assert play.worker().running == {}
    assert play.children(catalogue.TASK_REDELIVERED) == {}
    assert in_flight(play) == {"sent": 0, "received": 0, "started": 0}


def test_given_a_late_retried_when_the_next_attempt_runs_then_it_goes_on_running(
    play: Stage,
) -> None:
    """A task-retried ends the oldest attempt that is open, not the one that runs."""
    play.received(at=1)
    play.started(at=2)
    play.received(at=3, retries=1)
    play.started(at=4)
    play.ended("retried", at=2.5)
    assert in_flight(play)["started"] == 1
    assert play.children(catalogue.TASK_OLDEST_STARTED) == {UNKNOWN_QUEUE: 1_700_000_004.0}


def test_given_retried_when_the_next_is_announced_then_it_is_in_flight_as_sent(
    play: Stage,
) -> None:
    """Between two attempts a task is in flight once its next task-sent has come, early or late."""
    play.sent(at=0)
    play.received(at=1)
    play.started(at=2)
    play.ended("retried", at=3)
    assert in_flight(play) == {"sent": 0, "received": 0, "started": 0}
    play.sent(at=3, retries=1)
    assert in_flight(play) == {"sent": 1, "received": 0, "started": 0}
    play.received(at=4, retries=1)
    play.started(at=5)
    assert in_flight(play) == {"sent": 0, "received": 0, "started": 1}
    assert play.distribution(catalogue.TASK_QUEUE_WAIT, *WHERE) == (2, 4.0)


@pytest.mark.parametrize("place", range(5))
def test_given_the_next_sent_anywhere_then_the_waits_are_those_of_their_attempts(
    place: int, play: Stage
) -> None:
    """Who runs the task announces its retry, perhaps before the worker reports start and end."""
    steps: list[Callable[[], None]] = [
        lambda: play.started(at=2),
        lambda: play.ended("retried", at=10),
        lambda: play.received(at=11, retries=1),
        lambda: play.started(at=13),
    ]
    steps.insert(place, lambda: play.sent(at=10, retries=1))
    play.sent(at=0)
    play.received(at=1)
    for step in steps:
        step()
    assert play.distribution(catalogue.TASK_QUEUE_WAIT, *WHERE) == (2, 5.0)
    assert in_flight(play) == {"sent": 0, "received": 0, "started": 1}


def test_given_the_next_sent_before_the_start_then_the_task_is_sent_once_it_has_ended(
    play: Stage,
) -> None:
    """It waits in the queue from its task-retried on."""
    play.sent(at=0)
    play.received(at=1)
    play.sent(at=10, retries=1)
    assert in_flight(play) == {"sent": 0, "received": 1, "started": 0}
    play.started(at=2)
    play.ended("retried", at=10)
    assert in_flight(play) == {"sent": 1, "received": 0, "started": 0}


def test_given_many_next_sent_before_their_start_then_few_are_remembered(
    play: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of those whose start is never heard the oldest make room; the newest are right."""
    monkeypatch.setattr(task_order, "MOST_ANNOUNCED", 2)
    for uuid in ("1", "2", "3"):
        play.sent(uuid, at=0)
        play.received(uuid, at=1)
        play.sent(uuid, at=10, retries=1)
    for uuid in ("1", "2", "3"):
        play.started(uuid, at=2)
        play.ended("retried", uuid, at=10)
    assert in_flight(play) == {"sent": 2, "received": 0, "started": 0}


def test_given_a_very_late_first_sent_when_the_retry_waits_then_it_does_not_move_its_start(
    play: Stage,
) -> None:
    """A task-sent belongs to the attempt whose retries it carries."""
    play.received(at=1)
    play.started(at=2)
    play.ended("retried", at=3)
    play.sent(at=100, retries=1)
    play.received(at=101, retries=1)
    play.sent(at=0, retries=0)
    play.started(at=102)
    assert play.distribution(catalogue.TASK_QUEUE_WAIT, *WHERE) == (1, 2.0)


def test_given_another_worker_when_the_retry_starts_there_then_it_runs_there(play: Stage) -> None:
    """The running tasks of a worker are those it started last."""
    play.received(at=1)
    play.started(at=2)
    play.received(at=3, retries=1, hostname="w2@host")
    play.started(at=4, hostname="w2@host")
    assert list(play.worker("w2@host").running) == [ID]
    assert play.worker(WORKER).running == {}
