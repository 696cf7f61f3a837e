"""A task that replaces itself hands on its id; each run counts under its own name."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from celery_sentinel.events.event import Event
from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import EPOCH, ID, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

OTHER_WORKER = "w2@host"
DISPATCH, CHARGE = ("dispatch", "q1"), ("charge", "q2")
COUNTERS = {
    "sent": catalogue.TASK_SENT,
    "received": catalogue.TASK_RECEIVED,
    "started": catalogue.TASK_STARTED,
    "succeeded": catalogue.TASK_SUCCEEDED,
}


def counted(play: Stage) -> dict[str, dict[str, float]]:
    """Return the counts by name, over all queues; what is 0 is left out."""
    found: dict[str, dict[str, float]] = {}
    for kind, metric in COUNTERS.items():
        for labels, value in play.children(metric).items():
            if value:
                by_name = found.setdefault(labels[0], {})
                by_name[kind] = by_name.get(kind, 0) + value
    return found


def event(kind: str, at: float, **fields: Any) -> Event:
    """Return an event of the task, stamped ``at`` seconds after EPOCH."""
    return Event(type=f"task-{kind}", uuid=ID, timestamp=EPOCH + at, **fields)


def life(*, announced: bool, workers: Sequence[str]) -> list[list[Event]]:
    """Return what the producer, then each worker says of a task that is replaced once."""
    first, second = workers
    producer, child = [], []
    if announced:
        producer = [event("sent", 0, name="dispatch", queue="q1")]
        child = [event("sent", 3.1, name="charge", queue="q2", parent_id=ID)]
    of_first = [
        event("received", 1, name="dispatch", hostname=first),
        event("started", 2, hostname=first),
    ]
    of_second = [
        event("received", 3.5, name="charge", parent_id=ID, hostname=second),
        event("started", 4, hostname=second),
        event("succeeded", 5, hostname=second, runtime=1.0),
    ]
    if first == second:
        return [producer, child, of_first + of_second]
    return [producer, child, of_first, of_second]


def interleaved(streams: list[list[Event]]) -> list[tuple[Event, ...]]:
    """Return the orders in which the events can come: each stream keeps its own."""
    places = [number for number, stream in enumerate(streams) for _ in stream]
    orders = []
    for order in sorted(set(itertools.permutations(places))):
        rest = [iter(stream) for stream in streams]
        orders.append(tuple(next(rest[number]) for number in order))
    return orders


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("second", ["w1@host", OTHER_WORKER])
def test_given_a_replacement_then_each_run_counts_under_its_own_name(
    announced: bool, second: str
) -> None:
    """The replacement is no redelivery; the one that it replaced is no longer in flight."""
    play = Stage()
    for one in itertools.chain(*life(announced=announced, workers=("w1@host", second))):
        play.fleet.apply([one], play.now, play.wall)
    sent = {"sent": 1} if announced else {}
    assert counted(play) == {
        "dispatch": {**sent, "received": 1, "started": 1},
        "charge": {**sent, "received": 1, "started": 1, "succeeded": 1},
    }
    assert not sum(play.children(catalogue.TASK_REDELIVERED).values())
    assert not sum(play.children(catalogue.TASKS_IN_FLIGHT).values())


@pytest.mark.parametrize("announced", [True, False])
def test_given_two_workers_whose_events_overtake_each_other_then_the_counts_are_the_same(
    announced: bool,
) -> None:
    """Whatever came first of the first received, both daemons say the same of the two names."""
    streams = life(announced=announced, workers=("w1@host", OTHER_WORKER))
    sent = {"sent": 1} if announced else {}
    for order in interleaved(streams):
        play = Stage()
        for one in order:
            copy = Event(**{f: getattr(one, f) for f in one.__struct_fields__})
            play.fleet.apply([copy], play.now, play.wall)
        assert counted(play) == {
            "dispatch": {**sent, "received": 1, "started": 1},
            "charge": {**sent, "received": 1, "started": 1, "succeeded": 1},
        }, [(one.type, one.name or one.hostname) for one in order]
        assert not sum(play.children(catalogue.TASK_REDELIVERED).values())
        assert not sum(play.children(catalogue.TASKS_IN_FLIGHT).values())


def test_given_a_replacement_then_waits_and_runtimes_are_each_runs_own(play: Stage) -> None:
    """The wait of the second begins with its own task-sent, its run time is its own."""
    for one in itertools.chain(*life(announced=True, workers=("w1@host", OTHER_WORKER))):
        play.fleet.apply([one], play.now, play.wall)
    count, total = play.distribution(catalogue.TASK_QUEUE_WAIT, *DISPATCH)
    assert (count, total) == (1, 2.0)
    count, total = play.distribution(catalogue.TASK_QUEUE_WAIT, *CHARGE)
    assert (count, round(total, 3)) == (1, 0.9)
    assert play.distribution(catalogue.TASK_RUNTIME, *CHARGE, "succeeded") == (1, 1.0)
    assert play.distribution(catalogue.TASK_RUNTIME, *DISPATCH, "succeeded") == (0, 0.0)


def test_given_a_replacement_that_fails_then_its_run_time_is_from_its_own_start(
    play: Stage,
) -> None:
    """What the first run took is not part of the second."""
    play.received(name="dispatch", at=0)
    play.started(at=1)
    play.received(name="charge", at=11, parent_id=ID)
    play.started(at=12)
    play.ended("failed", at=13, exception="ValueError()")
    found = play.children(catalogue.TASK_FAILED)
    assert {labels[0]: value for labels, value in found.items()} == {"charge": 1}
    assert play.distribution(catalogue.TASK_RUNTIME, "charge", "unknown", "failed") == (1, 1.0)


def test_given_the_end_of_a_chain_then_its_other_name_tells_the_replacement(play: Stage) -> None:
    """The last task of a chain has the id, and another parent."""
    play.received(name="dispatch", at=0)
    play.started(at=1)
    play.received(name="charge", at=11, parent_id="another")
    play.started(at=12)
    play.ended(at=13)
    assert counted(play) == {
        "dispatch": {"received": 1, "started": 1},
        "charge": {"received": 1, "started": 1, "succeeded": 1},
    }
    assert not sum(play.children(catalogue.TASK_REDELIVERED).values())


def test_given_a_task_that_replaces_itself_by_itself_then_it_is_not_redelivered(
    play: Stage,
) -> None:
    """It is its own parent, and had started; a task that is delivered again has none."""
    play.received(at=0)
    play.started(at=1)
    for number in (1, 2):
        play.received(at=10 * number, parent_id=ID)
        play.started(at=10 * number + 1)
    play.ended(at=30)
    assert play.total(catalogue.TASK_STARTED) == 3
    assert not play.total(catalogue.TASK_REDELIVERED)
    play.received("twice", at=0)
    play.started("twice", at=1)
    play.received("twice", at=10, hostname=OTHER_WORKER)
    assert play.total(catalogue.TASK_REDELIVERED) == 1


def test_given_a_self_replacement_on_a_lost_worker_then_it_is_redelivered(play: Stage) -> None:
    """What comes again after its worker has died was not handed on by it."""
    play.beat(active=1)
    play.received(at=0, parent_id=ID)
    play.started(at=1)
    play.pass_time(60)
    play.gone()
    play.tick()
    play.received(at=61, parent_id=ID, hostname=OTHER_WORKER)
    assert play.total(catalogue.TASK_REDELIVERED) == 1


def test_given_retries_before_and_after_then_they_count_under_their_own_names(
    play: Stage,
) -> None:
    """A retry keeps id and name, and is a child of its own too."""
    play.received(name="dispatch", at=0)
    play.started(at=1)
    play.received(name="dispatch", at=3, retries=1, parent_id=ID)
    play.started(at=4)
    play.received(name="charge", at=5, parent_id=ID)
    play.ended("retried", at=2, exception="TimeoutError()")  # of the first, and late
    play.started(at=6)
    play.ended("retried", at=7, exception="KeyError()")
    play.received(name="charge", at=8, retries=1, parent_id=ID)
    play.started(at=9)
    play.ended(at=10)
    assert counted(play) == {
        "dispatch": {"received": 2, "started": 2},
        "charge": {"received": 2, "started": 2, "succeeded": 1},
    }
    retried = {
        (labels[0], labels[2]): n for labels, n in play.children(catalogue.TASK_RETRIED).items()
    }
    assert retried == {("dispatch", "TimeoutError"): 1, ("charge", "KeyError"): 1}
    assert not play.total(catalogue.TASK_REDELIVERED)
    assert not play.total(catalogue.TASKS_IN_FLIGHT)


def test_given_a_lost_receipt_then_the_task_sent_names_the_replacement(play: Stage) -> None:
    """A run that was announced, and of which the receipt was lost, begins with its start."""
    play.sent(name="dispatch", queue="q1", at=0)
    play.received(name="dispatch", at=1)
    play.started(at=2)
    play.sent(name="charge", queue="q2", at=3, parent_id=ID)
    play.started(at=5, hostname=OTHER_WORKER)
    play.ended(at=6, hostname=OTHER_WORKER)
    assert counted(play) == {
        "dispatch": {"sent": 1, "received": 1, "started": 1},
        "charge": {"sent": 1, "started": 1, "succeeded": 1},
    }
    assert play.distribution(catalogue.TASK_QUEUE_WAIT, *CHARGE) == (1, 2.0)
    assert not play.total(catalogue.TASKS_IN_FLIGHT)


def test_given_a_shadow_then_it_is_no_replacement(play: Stage) -> None:
    """A task-sent names the task, its receipt the shadow: delivered again it is redelivered."""
    play.sent(name="real", queue="q1", at=0)
    play.received(name="shadow", at=1)
    play.started(at=2)
    play.received(name="shadow", at=3, hostname=OTHER_WORKER)
    assert play.total(catalogue.TASK_REDELIVERED) == 1
    assert counted(play) == {"real": {"sent": 1, "received": 2, "started": 1}}


def test_given_a_replaced_task_delivered_again_then_it_is_redelivered(play: Stage) -> None:
    """With acks_late the message of the first comes again if its worker dies before its end."""
    play.received(name="dispatch", at=0)
    play.started(at=1)
    play.received(name="charge", at=2, parent_id=ID)
    play.received(name="dispatch", at=9, hostname=OTHER_WORKER)
    assert play.total(catalogue.TASK_REDELIVERED) == 1
    assert counted(play)["dispatch"]["received"] == 2


def test_given_a_start_told_after_the_next_was_received_then_it_is_the_first_runs(
    play: Stage,
) -> None:
    """A pool's child sends the replacement before its worker has told that the first started."""
    play.sent(name="dispatch", queue="q1", at=0)
    play.received(name="dispatch", at=1)
    play.sent(name="charge", queue="q2", at=1.1, parent_id="chain")
    play.received(name="charge", at=1.2, parent_id="chain")
    play.started(at=1.3)
    play.started(at=1.4)
    play.ended(at=2)
    assert counted(play) == {
        "dispatch": {"sent": 1, "received": 1, "started": 1},
        "charge": {"sent": 1, "received": 1, "started": 1, "succeeded": 1},
    }
    assert not play.total(catalogue.TASK_REDELIVERED)


def test_given_a_start_of_a_retry_told_after_another_worker_received_then_it_is_the_firsts(
    play: Stage,
) -> None:
    """Of two attempts both starts are told late, the second when the replacement is there."""
    play.received(name="dispatch", at=0)
    play.received(name="dispatch", at=1, retries=1, parent_id=ID)
    play.started(at=0.5)
    play.received(name="charge", at=2, parent_id=ID, hostname=OTHER_WORKER)
    play.started(at=1.5)
    play.started(at=3, hostname=OTHER_WORKER)
    play.ended(at=4, hostname=OTHER_WORKER)
    assert counted(play) == {
        "dispatch": {"received": 2, "started": 2},
        "charge": {"received": 1, "started": 1, "succeeded": 1},
    }


def test_given_a_self_replacement_received_before_the_start_is_told_then_it_is_none_again(
    play: Stage,
) -> None:
    """What has become its own parent cannot be the message that had none."""
    play.received(at=0)
    play.received(at=1, parent_id=ID)
    play.started(at=1.1)
    play.started(at=1.2)
    play.ended(at=2)
    assert play.total(catalogue.TASK_STARTED) == 2
    assert not play.total(catalogue.TASK_REDELIVERED)
    assert not play.total(catalogue.TASKS_IN_FLIGHT)
