"""What happens to a task is counted under its name and its queue."""

from __future__ import annotations

from typing import Any

import pytest

from celery_sentinel.config import schema
from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import ID, QUEUE, TASK, WORKER, Stage

BY_HOSTNAME = schema.Config(tasks=schema.Tasks(labels=("hostname",)))
WHERE = (TASK, QUEUE)
NOWHERE = ("unknown", "unknown")


def run(play: Stage, uuid: str = ID) -> None:
    """Play a task up to its start."""
    play.sent(uuid, at=0)
    play.received(uuid, at=1)
    play.started(uuid, at=2)


def test_given_all_events_when_a_task_succeeds_then_each_is_counted(play: Stage) -> None:
    """A task that runs well adds one to sent, received, started and succeeded."""
    run(play)
    play.ended(at=5, runtime=2.5)
    for metric in (
        catalogue.TASK_SENT,
        catalogue.TASK_RECEIVED,
        catalogue.TASK_STARTED,
        catalogue.TASK_SUCCEEDED,
    ):
        assert play.children(metric) == {WHERE: 1}


def test_given_a_task_under_way_when_it_moves_on_then_it_is_in_flight_in_one_state(
    play: Stage,
) -> None:
    """In flight is what was sent, received or started and has not ended."""
    seen = []
    for step in (play.sent, play.received, play.started, play.ended):
        step()
        found = play.children(catalogue.TASKS_IN_FLIGHT)
        seen.append([found.get((*WHERE, s), 0) for s in ("sent", "received", "started")])
    assert seen == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]


def test_given_a_start_when_a_task_fails_then_class_and_category_are_labels(play: Stage) -> None:
    """A failure is counted by the class of its exception and by what heals it."""
    run(play)
    play.ended("failed", exception="MemoryError()")
    assert play.children(catalogue.TASK_FAILED) == {(*WHERE, "MemoryError", "resource"): 1}


def test_given_no_exception_text_when_a_task_fails_then_its_class_is_unknown(play: Stage) -> None:
    """What is not said is unknown, not guessed."""
    run(play)
    play.ended("failed")
    assert play.children(catalogue.TASK_FAILED) == {(*WHERE, "unknown", "code"): 1}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"expired": True, "terminated": False}, "expired"),
        ({"expired": False, "terminated": True}, "terminated"),
        ({"expired": False, "terminated": False}, "revoked"),
        ({}, "revoked"),
    ],
)
def test_given_a_revoke_then_its_reason_is_a_label(
    play: Stage, fields: dict[str, Any], reason: str
) -> None:
    """A task is revoked because it expired, while it ran, or before it ran."""
    run(play)
    play.ended("revoked", **fields)
    assert play.children(catalogue.TASK_REVOKED) == {(*WHERE, reason): 1}


def test_given_only_task_sent_when_it_is_revoked_then_it_leaves_the_flight(play: Stage) -> None:
    """An expired or revoked task is revoked without having been received."""
    play.sent()
    play.ended("revoked", expired=True)
    assert play.children(catalogue.TASK_REVOKED) == {(*WHERE, "expired"): 1}
    assert play.total(catalogue.TASKS_IN_FLIGHT) == 0


def test_given_a_running_task_when_it_is_cancelled_then_it_has_ended(play: Stage) -> None:
    """A task its worker cancelled on connection loss or shutdown is over."""
    run(play)
    play.ended("cancelled")
    assert play.children(catalogue.TASK_CANCELLED) == {WHERE: 1}
    assert play.total(catalogue.TASKS_IN_FLIGHT) == 0


@pytest.mark.parametrize("order", [("failed", "rejected"), ("rejected", "failed")])
def test_given_reject_when_both_endings_come_then_both_count_and_one_ends(
    play: Stage, order: tuple[str, str]
) -> None:
    """Celery 5.7 sends task-failed and task-rejected for one Reject: one task has ended."""
    run(play)
    for how in order:
        play.ended(how, exception="reject requeue=False: no", requeue=False)
    assert play.children(catalogue.TASK_FAILED) == {(*WHERE, "Reject", "code"): 1}
    assert play.children(catalogue.TASK_REJECTED) == {(*WHERE, "false"): 1}
    assert play.total(catalogue.TASKS_IN_FLIGHT) == 0
    assert play.worker().running == {}


def test_given_a_requeue_when_it_comes_again_then_it_was_redelivered(play: Stage) -> None:
    """A requeued task waits unseen; its next task-received is a redelivery."""
    run(play)
    play.ended("rejected", requeue=True)
    assert play.total(catalogue.TASKS_IN_FLIGHT) == 0
    play.received()
    assert play.children(catalogue.TASK_REJECTED) == {(*WHERE, "true"): 1}
    assert play.children(catalogue.TASK_REDELIVERED) == {WHERE: 1}
    assert play.value(catalogue.TASKS_IN_FLIGHT, *WHERE, "received") == 1


def test_given_two_endings_of_one_kind_then_both_are_counted(play: Stage) -> None:
    """Every event is counted; the second ending changes nothing else."""
    run(play)
    play.ended()
    play.ended()
    assert play.value(catalogue.TASK_SUCCEEDED, *WHERE) == 2
    assert play.fleet.series.find(*WHERE, WORKER).in_flight[:4] == [0, 0, 0, 0]


@pytest.mark.parametrize("state", ["received", "started", "closed"])
def test_given_a_known_task_when_received_again_without_a_retry_then_it_is_redelivered(
    play: Stage, state: str
) -> None:
    """A second task-received with the same retries means that the broker delivered again."""
    play.sent(at=0)
    play.received(at=1)
    if state != "received":
        play.started(at=2)
    if state == "closed":
        play.ended(at=3)
    play.received(at=4, hostname="w2@host")
    assert play.children(catalogue.TASK_REDELIVERED) == {WHERE: 1}
    assert play.value(catalogue.TASKS_IN_FLIGHT, *WHERE, "received") == 1
    assert play.worker().running == {}


def test_given_a_redelivery_when_it_starts_then_its_waits_start_afresh(play: Stage) -> None:
    """The time in the worker runs from the last task-received."""
    run(play)
    play.received(at=100, hostname="w2@host")
    play.started(at=101, hostname="w2@host")
    assert play.distribution(catalogue.TASK_PREFETCH_WAIT, QUEUE) == (2, 2.0)
    assert play.record().worker is play.worker("w2@host")


def test_given_an_unregistered_task_when_it_fails_then_it_fails_by_its_name(play: Stage) -> None:
    """A task no worker knows fails without task-received; its name stands in the exception."""
    play.ended("failed", exception="NotRegistered('shop.gone')")
    failed = play.children(catalogue.TASK_FAILED)
    assert failed == {("shop.gone", "unknown", "NotRegistered", "unregistered"): 1}
    assert play.total(catalogue.ORPHAN_EVENTS) == 0


def test_given_its_task_sent_when_an_unregistered_task_fails_then_its_queue_is_known(
    play: Stage,
) -> None:
    """With task-sent events name and queue are known from these."""
    play.sent()
    play.ended("failed", exception=f"NotRegistered('{TASK}')")
    assert list(play.children(catalogue.TASK_FAILED)) == [(*WHERE, "NotRegistered", "unregistered")]


@pytest.mark.parametrize(
    ("how", "metric"),
    [
        ("succeeded", catalogue.TASK_SUCCEEDED),
        ("failed", catalogue.TASK_FAILED),
        ("retried", catalogue.TASK_RETRIED),
        ("revoked", catalogue.TASK_REVOKED),
        ("rejected", catalogue.TASK_REJECTED),
        ("cancelled", catalogue.TASK_CANCELLED),
        ("started", catalogue.TASK_STARTED),
    ],
)
def test_given_nothing_before_when_a_task_goes_on_then_it_counts_as_unknown(
    play: Stage, how: str, metric: catalogue.Metric
) -> None:
    """An event of a task never heard of counts under unknown, and as an orphan."""
    play.ended(how)
    ((labels, count),) = play.children(metric).items()
    assert (labels[:2], count) == (NOWHERE, 1)
    assert play.children(catalogue.ORPHAN_EVENTS) == {(f"task-{how}",): 1}


def test_given_an_orphan_start_when_its_name_is_learnt_then_the_end_counts_under_it(
    play: Stage,
) -> None:
    """A task that ran before we listened takes its name from a task-received that comes later."""
    play.started(at=5)
    play.received(at=100, retries=1)
    play.started(at=101)
    play.ended(at=102)
    assert play.value(catalogue.TASK_STARTED, *NOWHERE) == 1
    assert play.value(catalogue.TASK_SUCCEEDED, TASK, "unknown") == 1
    assert play.total(catalogue.TASKS_IN_FLIGHT) == 0


def test_given_no_task_sent_then_the_queue_is_unknown(play: Stage) -> None:
    """A queue that cannot be known is unknown, not Celery's default queue."""
    play.received()
    assert play.children(catalogue.TASK_RECEIVED) == {(TASK, "unknown"): 1}


def test_given_hostname_labels_when_a_task_runs_then_its_worker_is_a_label() -> None:
    """With tasks.labels each worker has series of its own; a producer's host is never a label."""
    configured = Stage(BY_HOSTNAME)
    run(configured)
    configured.ended()
    assert configured.children(catalogue.TASK_SENT) == {(*WHERE, "unknown"): 1}
    assert configured.children(catalogue.TASK_SUCCEEDED) == {(*WHERE, WORKER): 1}
    in_flight = configured.children(catalogue.TASKS_IN_FLIGHT)
    assert set(in_flight.values()) == {0}
    assert {labels[2] for labels in in_flight} == {"unknown", WORKER}


def test_given_hostname_labels_when_another_worker_retries_then_it_counts_there() -> None:
    """An attempt counts under the worker that received it."""
    configured = Stage(BY_HOSTNAME)
    configured.received(at=0)
    configured.started(at=1)
    configured.ended("retried", at=2)
    configured.received(at=3, hostname="w2@host", retries=1)
    received = configured.children(catalogue.TASK_RECEIVED)
    assert received == {(TASK, "unknown", WORKER): 1, (TASK, "unknown", "w2@host"): 1}
    assert configured.total(catalogue.TASKS_IN_FLIGHT) == 1


def test_given_last_events_then_their_times_are_shown(play: Stage) -> None:
    """The dead-man's switch of a periodic task is when it was last sent and how it ended."""
    run(play)
    play.ended(at=5)
    found = play.children(catalogue.TASK_LAST_EVENT)
    assert {labels[2]: at - 1_700_000_000 for labels, at in found.items()} == {
        "sent": 0,
        "succeeded": 5,
    }


def test_given_two_running_then_the_oldest_start_is_shown_until_it_ends(play: Stage) -> None:
    """A stuck task shows before it ends, and the metric is absent when none runs."""
    for uuid, at in (("a", 10), ("b", 20)):
        play.received(uuid, at=at)
        play.started(uuid, at=at)
    seen: list[float] = []
    for uuid in ("a", "b"):
        seen.extend(play.children(catalogue.TASK_OLDEST_STARTED).values())
        play.ended(uuid=uuid)
    assert [at - 1_700_000_000 for at in seen] == [10, 20]
    assert play.children(catalogue.TASK_OLDEST_STARTED) == {}


def test_given_an_unknown_event_type_then_it_is_counted_as_such(play: Stage) -> None:
    """Custom events are no states of a task, and no fault; what is none of a group is one."""
    play.received()
    play.ended("progress")
    assert play.value(catalogue.EVENTS_REJECTED, "unknown_type") == 0
    assert play.value(catalogue.EVENTS, "other") == 1
    play.hear("nonsense")
    assert play.value(catalogue.EVENTS_REJECTED, "unknown_type") == 1
    assert play.value(catalogue.TASKS_IN_FLIGHT, TASK, "unknown", "received") == 1
