"""One task id on several workers is a broadcast where its queue is, else it was redelivered."""

from __future__ import annotations

from typing import Any

import pytest

from celery_sentinel import poll_results
from celery_sentinel.config import schema
from celery_sentinel.metrics import catalogue
from tests.unit.fleet import test_invariants
from tests.unit.fleet.stage import ID, TASK, WORKER, Stage
from tests.unit.state import restarts

SECOND = "w2@host"
QUEUES = {
    WORKER: "bcast.604d40c0-e3ed-467f-ac0c-9d5e2e1761d1",
    SECOND: "bcast.11111111-e3ed-467f-ac0c-9d5e2e1761d1",
}
OF_PRODUCER: dict[str, Any] = {
    "queue": "bcast.22222222-e3ed-467f-ac0c-9d5e2e1761d1",
    "exchange": "bc",
    "routing_key": "",
}
WHERE = (TASK, "bcast")


def listen(play: Stage, *, others: tuple[str, ...] = ()) -> None:
    """Let two workers say that they consume a broadcast queue."""
    for number, (hostname, queue) in enumerate(QUEUES.items(), start=7):
        play.beat(hostname, pid=number)
        binding = poll_results.Binding(queue=queue, exchange="bc", type="fanout", key="")
        play.answer(hostname, pid=number, queues=(queue, *others), bindings=(binding,))


def run(play: Stage, hostname: str, *, at: float) -> None:
    """Let a worker run its copy."""
    play.received(at=at, hostname=hostname)
    play.started(at=at + 1, hostname=hostname)
    play.ended(at=at + 2, hostname=hostname, runtime=1.0)


@pytest.mark.parametrize("announced", [True, False])
def test_given_two_copies_then_each_is_received_started_and_ended(
    play: Stage, announced: bool
) -> None:
    """Two runs of one id, none of them delivered again, and nothing left in flight."""
    listen(play)
    if announced:
        play.sent(**OF_PRODUCER, at=0)
        assert play.value(catalogue.TASKS_IN_FLIGHT, *WHERE, "sent") == 1
    run(play, WORKER, at=1)
    run(play, SECOND, at=2)
    for metric in (catalogue.TASK_RECEIVED, catalogue.TASK_STARTED, catalogue.TASK_SUCCEEDED):
        assert play.children(metric) == {WHERE: 2}
    assert not play.total(catalogue.TASK_REDELIVERED)
    assert not play.total(catalogue.TASKS_IN_FLIGHT)
    if announced:
        assert play.distribution(catalogue.TASK_QUEUE_WAIT, *WHERE) == (2, 5.0)


def test_given_copies_under_way_then_a_worker_that_dies_loses_its_own(play: Stage) -> None:
    """The other goes on and ends."""
    listen(play)
    play.sent(**OF_PRODUCER, at=0)
    for hostname in QUEUES:
        play.received(at=1, hostname=hostname)
        play.started(at=2, hostname=hostname)
    assert play.value(catalogue.TASKS_IN_FLIGHT, *WHERE, "started") == 2
    assert test_invariants.running(play) == test_invariants.started(play)
    play.jump(5)
    play.online(WORKER, pid=99)
    assert play.total(catalogue.TASK_LOST) == 1
    assert play.value(catalogue.TASKS_IN_FLIGHT, *WHERE, "started") == 1
    play.ended(at=40, hostname=SECOND)
    assert play.value(catalogue.TASK_SUCCEEDED, *WHERE) == 1
    assert not play.total(catalogue.TASKS_IN_FLIGHT)


def test_given_an_answer_that_names_a_copy_then_it_is_that_workers(play: Stage) -> None:
    """What a worker says it runs is its copy; one it does not name has ended."""
    listen(play)
    play.sent(**OF_PRODUCER, at=0)
    for hostname in QUEUES:
        play.received(at=1, hostname=hostname)
        play.started(at=2, hostname=hostname)
    play.pass_time(5)
    running = poll_results.ActiveTask(task_id=ID, name=TASK)
    for _ in range(2):
        play.answer(WORKER, pid=7, active=(running,))
        play.answer(SECOND, pid=8, active=())
    assert play.value(catalogue.TASKS_IN_FLIGHT, *WHERE, "started") == 1
    assert test_invariants.running(play) == test_invariants.started(play)


def test_given_a_copy_delivered_again_to_its_worker_then_that_is_a_redelivery(
    play: Stage,
) -> None:
    """A worker gets a broadcast once."""
    listen(play)
    play.received(at=1)
    play.received(at=1, hostname=SECOND)
    play.received(at=9)
    assert play.total(catalogue.TASK_REDELIVERED) == 1


def test_given_a_queue_that_workers_share_then_it_is_delivered_again(play: Stage) -> None:
    """Without a queue for each worker a second receipt is no copy."""
    for number, hostname in enumerate(QUEUES, start=7):
        play.beat(hostname, pid=number)
        play.answer(hostname, pid=number, queues=("mail", "bulk"))
    play.received(at=1)
    play.received(at=2, hostname=SECOND)
    assert play.total(catalogue.TASK_REDELIVERED) == 1


def test_given_a_fanout_queue_with_a_name_of_its_own_then_its_workers_compete(
    play: Stage,
) -> None:
    """Two workers of one queue get each message once between them."""
    binding = poll_results.Binding(queue="feed", exchange="bc", type="fanout", key="")
    for number, hostname in enumerate(QUEUES, start=7):
        play.beat(hostname, pid=number)
        play.answer(hostname, pid=number, queues=("feed",), bindings=(binding,))
    play.received(at=1)
    play.received(at=2, hostname=SECOND)
    assert play.total(catalogue.TASK_REDELIVERED) == 1


def test_given_a_worker_of_other_queues_too_then_a_redelivery_is_told_by_its_queue(
    play: Stage,
) -> None:
    """The task-sent names the queue, whatever else its workers consume."""
    listen(play, others=("mail",))
    play.sent(queue="mail", at=0)
    play.received(at=1)
    play.received(at=2, hostname=SECOND)
    assert play.value(catalogue.TASK_REDELIVERED, TASK, "mail") == 1


def test_given_a_restart_then_copies_end_where_they_ran(play: Stage) -> None:
    """Each copy has a record in the state."""
    listen(play)
    for hostname in QUEUES:
        play.received(at=1, hostname=hostname)
        play.started(at=2, hostname=hostname)
    new = restarts.restarted(play)
    for hostname in QUEUES:
        new.ended(at=30, hostname=hostname)
    assert new.value(catalogue.TASK_SUCCEEDED, *WHERE) == 2
    assert not new.total(catalogue.TASKS_IN_FLIGHT)
    assert test_invariants.in_flight(new) == test_invariants.open_records(new)


def test_given_copies_without_end_then_the_table_stays_bounded() -> None:
    """Each copy takes a place among the records."""
    play = Stage(schema.Config(tasks=schema.Tasks(max_records=20)))
    listen(play)
    for number in range(50):
        for hostname in QUEUES:
            play.received(str(number), hostname=hostname)
    assert len(play.fleet.records.by_id) <= 20
    assert test_invariants.in_flight(play) == test_invariants.open_records(play)
