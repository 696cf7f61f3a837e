"""What comes before the task-sent that names its queue is counted where that says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from celery_sentinel.events.event import Event
from celery_sentinel.fleet import held_events
from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import EPOCH, ID, TASK, WORKER, Stage
from tests.unit.state import restarts

if TYPE_CHECKING:
    from collections.abc import Callable

COUNTERS = (
    catalogue.TASK_SENT,
    catalogue.TASK_RECEIVED,
    catalogue.TASK_STARTED,
    catalogue.TASK_SUCCEEDED,
)


@pytest.fixture
def play() -> Stage:
    """Return a stage on which events are held for their moment."""
    return Stage(holding=True)


def counted(play: Stage) -> dict[tuple[str, str], list[int]]:
    """Return sent, received, started and succeeded by name and queue, those in flight last."""
    found: dict[tuple[str, str], list[int]] = {}
    for place, metric in enumerate(COUNTERS):
        for (name, queue), value in play.children(metric).items():
            found.setdefault((name, queue), [0] * 5)[place] = value
    for (name, queue, _), value in play.children(catalogue.TASKS_IN_FLIGHT).items():
        found[name, queue][4] += value
    return {where: counts for where, counts in found.items() if any(counts)}


def test_given_a_sent_that_was_overtaken_then_all_counts_where_it_says(play: Stage) -> None:
    """Received, started and ended by the time: nothing is unknown, and the wait is observed."""
    play.received(at=1)
    play.started(at=2)
    play.ended(at=3)
    play.jump(0.2)
    play.sent(queue="mail", at=0)
    assert counted(play) == {(TASK, "mail"): [1, 1, 1, 1, 0]}
    assert play.distribution(catalogue.TASK_QUEUE_WAIT, TASK, "mail") == (1, 2.0)


def test_given_no_task_sent_then_the_moment_passes_and_it_counts(play: Stage) -> None:
    """What nothing names is told as unknown, once; waiting for more of the kind is not worth it."""
    for number in range(held_events.FIRST):
        play.received(str(number))
    assert not play.fleet.records.by_id
    play.pass_time(held_events.MOMENT + 0.5)
    assert len(play.fleet.records.by_id) == held_events.FIRST
    play.received("late")
    assert "late" in play.fleet.records.by_id
    assert counted(play) == {
        (TASK, "unknown"): [0, held_events.FIRST + 1, 0, 0, held_events.FIRST + 1]
    }


def test_given_an_overtaken_sent_when_none_was_waited_for_then_the_next_is(play: Stage) -> None:
    """Producers that begin to send task-sent are believed from the first one on."""
    for number in range(held_events.FIRST):
        play.received(str(number))
    play.pass_time(held_events.MOMENT + 0.5)
    play.received("a")
    play.sent("a", queue="mail")
    play.received("b")
    assert "b" not in play.fleet.records.by_id
    play.sent("b", queue="mail")
    assert play.record("b").series.queue_name == "mail"


def test_given_a_start_before_its_receipt_then_it_has_its_name(play: Stage) -> None:
    """Pools without batches invert events: by the time both are there, their order is known."""
    play.started(at=2)
    play.received(at=1)
    assert counted(play) == {(TASK, "unknown"): [0, 1, 1, 0, 1]}


def test_given_a_worker_of_one_queue_then_nothing_is_held(play: Stage) -> None:
    """Where the queue is known no later event can say more."""
    play.beat()
    play.answer(queues=("mail",))
    play.received()
    assert ID in play.fleet.records.by_id


def test_given_a_retry_that_is_announced_first_then_the_attempt_before_counts_first(
    play: Stage,
) -> None:
    """A worker sends the retry of a task that no producer has announced."""
    play.received(at=1)
    play.started(at=2)
    play.sent(at=3, retries=1, queue="mail")
    play.ended("retried", at=3, exception="E()")
    play.received(at=4, retries=1)
    play.started(at=5)
    play.ended(at=6)
    assert not play.total(catalogue.TASK_REDELIVERED)
    assert not play.total(catalogue.TASKS_IN_FLIGHT)
    assert play.total(catalogue.TASK_RECEIVED) == 2
    assert play.distribution(catalogue.TASK_QUEUE_WAIT, TASK, "mail")[0] == 1


def test_given_a_worker_that_comes_back_as_another_then_what_was_held_is_lost_with_it(
    play: Stage,
) -> None:
    """A process that is judged is judged by all that was heard of it."""
    play.beat(pid=7)
    play.received()
    play.started(pid=7)
    play.jump(0.5)
    play.online(pid=8)
    assert play.total(catalogue.TASK_LOST) == 1
    assert not play.total(catalogue.TASKS_IN_FLIGHT)


def test_given_a_start_that_is_held_then_its_process_is_held_to_account_once(play: Stage) -> None:
    """The account of starts has it when it comes, not when it is applied."""
    for clock in range(1, 4):
        play.jump(2)
        play.beat(processed=0, clock=clock)
    play.received(clock=4)
    play.started(pid=7, clock=5)
    starts = list(play.worker().starts.get(7, []))
    play.pass_time(held_events.MOMENT + 0.5)
    assert list(play.worker().starts.get(7, [])) == starts


def test_given_a_restart_then_what_was_held_is_held_on(play: Stage) -> None:
    """The next process applies it, and the task-sent that comes then names it."""
    play.received(at=1)
    play.started(at=2)
    new = restarts.restarted(play)
    new.sent(queue="mail", at=0)
    assert counted(new) == {(TASK, "mail"): [1, 1, 1, 0, 1]}


def test_given_events_without_end_then_only_so_many_are_held(
    play: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit is applied at once; a large traceback is never kept."""
    monkeypatch.setattr(held_events, "MOST_EVENTS", 3)
    for number in range(9):
        play.received(f"a{number}", name=f"n{number}")
    assert len(play.fleet.tracker.unmatched.held.everything()) == 3
    play.ended("failed", "big", exception="E()", traceback="x" * (held_events.MOST_TEXT + 1))
    assert play.total(catalogue.TASK_RECEIVED) == 9
    assert play.total(catalogue.TASK_FAILED) == 1


streams = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["q1", "q2"]), st.booleans()),
    min_size=1,
    max_size=6,
)


def lives(tasks: list[tuple[str, str, bool]]) -> tuple[list[Event], list[Event]]:
    """Return what the producer says of tasks, and what the worker."""
    sent, ran = [], []
    for number, (name, queue, ends) in enumerate(tasks):
        common = {"uuid": str(number)}
        at = EPOCH + number
        sent.append(Event(type="task-sent", name=name, queue=queue, timestamp=at, **common))
        given = {"hostname": WORKER, **common}
        ran.append(Event(type="task-received", name=name, timestamp=at + 0.1, **given))
        ran.append(Event(type="task-started", timestamp=at + 0.2, **given))
        if ends:
            ran.append(Event(type="task-succeeded", runtime=0.1, timestamp=at + 0.3, **given))
    return sent, ran


@settings(max_examples=200, deadline=None)
@given(tasks=streams, order=st.randoms(use_true_random=False))
def test_given_two_streams_in_any_interleaving_then_all_counts_as_in_their_order(
    tasks: list[tuple[str, str, bool]], order: Callable[[], float]
) -> None:
    """Whoever is heard first, every daemon says the same, and nothing is unknown."""
    first, second = Stage(holding=True), Stage(holding=True)
    sent, ran = lives(tasks)
    first.fleet.apply([*sent, *ran], first.now, first.wall)
    sent, ran = lives(tasks)
    while sent or ran:
        stream = sent if sent and (not ran or order.random() < 0.5) else ran  # type: ignore[attr-defined]
        second.fleet.apply([stream.pop(0)], second.now, second.wall)
    assert counted(second) == counted(first)
    assert not any("unknown" in where for where in counted(second))
