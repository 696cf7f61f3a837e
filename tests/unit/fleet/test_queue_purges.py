"""What was sent and lies in no queue is not in flight; it may be heard of all the same."""

from __future__ import annotations

from typing import Any

import pytest

from celery_sentinel import poll_results
from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import QUEUE, TASK, WORKER, Stage

WHERE = (TASK, QUEUE, "sent")
IDLE: dict[str, Any] = {"length": 0, "unacked": 0}


def sent(play: Stage) -> int:
    """Return how many tasks are in flight as sent."""
    return int(play.value(catalogue.TASKS_IN_FLIGHT, *WHERE) or 0)


def look(play: Stage, *, asked_ago: float = 0.0, broker: int | None = None, **found: Any) -> None:
    """Read the queue, and let the records be swept."""
    reading = poll_results.QueueReading(**found)
    play.read({QUEUE: reading}, unacked=broker, asked_at=play.now - asked_ago)
    for _ in range(3):
        play.tick()


def crew(play: Stage, *, events: bool = True, queues: tuple[str, ...] = (QUEUE,)) -> None:
    """Let a worker tell what it consumes, and perhaps that it sends task events."""
    play.beat()
    if events:
        play.hear("task-started", uuid="other", hostname=WORKER, pid=7)
        play.beat(processed=1)
    play.answer(pid=7, queues=queues)


@pytest.mark.parametrize(
    "proof",
    [
        {"length": 0, "unacked": 0},
        {"length": 0, "broker": 0},
        {"length": 0, "consumers": 0},
    ],
)
def test_given_an_empty_queue_of_which_nothing_is_held_then_nothing_is_on_its_way(
    play: Stage, proof: dict[str, Any]
) -> None:
    """The queue's own figure, Redis' for all queues, or that nobody consumes it."""
    play.sent()
    play.jump(30)
    look(play, **proof)
    assert sent(play) == 0
    assert not play.total(catalogue.TASK_LOST)


@pytest.mark.parametrize(
    "found",
    [
        {"length": 1, "unacked": 0},
        {"length": 0, "unacked": 1},
        {"length": 0, "broker": 1},
        {"length": None, "unacked": 0},
        {"length": 0},
        {"length": 0, "unacked": 0, "asked_ago": 28.0},
    ],
)
def test_given_less_than_a_proof_then_it_is_still_on_its_way(
    play: Stage, found: dict[str, Any]
) -> None:
    """A message that waits, that somebody holds, that cannot be seen, or was sent since."""
    play.sent()
    play.jump(30)
    look(play, **found)
    assert sent(play) == 1


def test_given_a_crew_that_tells_what_it_receives_then_an_empty_queue_is_enough(
    play: Stage,
) -> None:
    """Busy workers hold messages always; of each they have said that they received it."""
    crew(play)
    play.sent()
    play.jump(30)
    look(play, length=0, unacked=9, consumers=1)
    assert sent(play) == 0


@pytest.mark.parametrize(("events", "consumers"), [(False, 1), (True, 2)])
def test_given_a_worker_that_may_be_silent_then_it_may_hold_it(
    play: Stage, events: bool, consumers: int
) -> None:
    """One that sends no task events, or a consumer that nobody knows."""
    crew(play, events=events)
    play.sent()
    play.jump(30)
    look(play, length=0, unacked=9, consumers=consumers)
    assert sent(play) == 1


def test_given_an_idle_worker_that_answers_then_it_holds_nothing(play: Stage) -> None:
    """One that has run no task yet has not shown whether it sends events; its answer will do."""
    play.sent()
    play.jump(30)
    play.beat()
    play.answer(pid=7, queues=(QUEUE,), reserved=0, scheduled=0, active=())
    look(play, length=0, consumers=1)
    assert sent(play) == 0
    play.sent("since")
    play.jump(10)
    look(play, length=0, consumers=1)
    assert sent(play) == 1  # sent since the answer


def test_given_an_eta_then_only_a_look_after_it_counts(play: Stage) -> None:
    """With native delayed delivery it lies elsewhere until then."""
    play.sent(eta="2023-11-14T22:14:20+00:00")  # 60 s after EPOCH
    play.jump(30)
    look(play, **IDLE)
    assert sent(play) == 1
    play.jump(60)
    look(play, **IDLE)
    assert sent(play) == 0


def test_given_a_task_taken_for_purged_when_it_is_received_then_nothing_is_wrong(
    play: Stage,
) -> None:
    """It is received, it waited, it ends: as if nothing had been said."""
    play.sent(at=0)
    play.jump(30)
    look(play, **IDLE)
    play.received(at=31)
    assert play.value(catalogue.TASKS_IN_FLIGHT, TASK, QUEUE, "received") == 1
    play.started(at=32)
    play.ended(at=33)
    assert play.distribution(catalogue.TASK_QUEUE_WAIT, TASK, QUEUE) == (1, 32.0)
    assert not play.total(catalogue.TASK_REDELIVERED)
    assert not play.total(catalogue.TASKS_IN_FLIGHT)


def test_given_an_expired_task_then_it_is_on_its_way_no_more(play: Stage) -> None:
    """RabbitMQ drops it without a word; a worker that finds it says that it is revoked."""
    play.sent(expires="2023-11-14T22:13:40+00:00")  # 20 s after EPOCH
    play.jump(25)
    play.tick()
    play.tick()
    assert sent(play) == 1
    play.jump(10)
    for _ in range(3):
        play.tick()
    assert sent(play) == 0
    play.ended("revoked", expired=True)
    assert play.value(catalogue.TASK_REVOKED, TASK, QUEUE, "expired") == 1


def test_given_nonsense_for_a_time_then_it_expires_never(play: Stage) -> None:
    """What cannot be read says nothing."""
    play.sent(expires="soon")
    play.jump(3600)
    for _ in range(3):
        play.tick()
    assert sent(play) == 1
