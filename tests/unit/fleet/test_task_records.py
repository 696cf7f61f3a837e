"""Records are kept as long as events may still come for them, and no more than allowed."""

from __future__ import annotations

import pytest

from celery_sentinel.config import schema
from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import ID, QUEUE, TASK, Stage

WHERE = (TASK, QUEUE)


def small(max_records: int) -> Stage:
    """Return a stage with few records."""
    return Stage(schema.Config(tasks=schema.Tasks(max_records=max_records)))


def run(play: Stage, uuid: str) -> None:
    """Play a whole task."""
    play.sent(uuid)
    play.received(uuid)
    play.started(uuid)
    play.ended(uuid=uuid)


def test_given_an_ended_task_when_its_grace_is_over_then_its_record_goes(play: Stage) -> None:
    """An ended record stays for tasks.grace, since a retry reuses its id."""
    run(play, ID)
    play.pass_time(299)
    assert play.value(catalogue.TRACKER_TASKS) == 1
    play.pass_time(3)
    assert play.value(catalogue.TRACKER_TASKS) == 0
    assert play.total(catalogue.TRACKER_EVICTIONS) == 0


def test_given_a_retried_after_the_grace_then_it_is_an_orphan(play: Stage) -> None:
    """What comes for a forgotten task counts as unknown rather than under a guess."""
    run(play, ID)
    play.pass_time(310)
    play.ended("retried")
    assert play.children(catalogue.TASK_RETRIED) == {("unknown", "unknown", "unknown"): 1}


def test_given_more_records_than_a_sweep_looks_at_then_all_go_in_time(play: Stage) -> None:
    """Sweeps take slices, and come around."""
    for n in range(4500):
        run(play, str(n))
    play.pass_time(305)
    assert play.value(catalogue.TRACKER_TASKS) == 0


def test_given_a_full_table_when_tasks_come_then_ended_ones_make_room_first() -> None:
    """Ended records are dropped before open ones, and that is no loss."""
    play = small(32)
    play.received("open")
    for n in range(100):
        run(play, str(n))
    assert "open" in play.fleet.records.by_id
    assert len(play.fleet.records.by_id) <= 32
    assert play.total(catalogue.TRACKER_EVICTIONS) == 0


def test_given_a_full_table_of_open_tasks_when_one_comes_then_the_oldest_goes_counted() -> None:
    """Open records are dropped oldest first, and each is counted."""
    play = small(32)
    for n in range(34):
        play.received(str(n))
    kept = list(play.fleet.records.by_id)
    assert kept[0] == "2"
    assert kept[-1] == "33"
    assert play.value(catalogue.TRACKER_EVICTIONS, "capacity") == 2
    assert play.value(catalogue.TASKS_IN_FLIGHT, TASK, "unknown", "received") == len(kept)
    assert play.children(catalogue.TASK_LOST) == {}


def test_given_a_running_task_when_it_is_evicted_then_no_worker_runs_it() -> None:
    """An evicted record leaves nothing behind."""
    play = small(1)
    play.started("a")
    play.received("b")
    assert play.worker().running == {}
    play.ended(uuid="a")
    assert play.value(catalogue.ORPHAN_EVENTS, "task-succeeded") == 1


@pytest.mark.parametrize("uuid", ["", "x" * 300])
@pytest.mark.parametrize("step", ["sent", "received", "started"])
def test_given_an_id_that_cannot_be_a_key_then_the_event_is_malformed(
    play: Stage, uuid: str, step: str
) -> None:
    """A task without an id, or with one of 300 characters, is refused and counted."""
    getattr(play, step)(uuid)
    assert play.value(catalogue.EVENTS_REJECTED, "malformed") == 1
    assert play.value(catalogue.TRACKER_TASKS) == 0
    assert play.total(catalogue.TASKS_IN_FLIGHT) == 0


@pytest.mark.parametrize("uuid", ["", "x" * 300])
def test_given_an_id_that_cannot_be_a_key_when_it_ends_then_it_is_an_orphan(
    play: Stage, uuid: str
) -> None:
    """The end of a task that cannot be followed counts as unknown."""
    play.ended(uuid=uuid)
    assert play.value(catalogue.TASK_SUCCEEDED, "unknown", "unknown") == 1
    assert play.value(catalogue.ORPHAN_EVENTS, "task-succeeded") == 1


def test_given_the_longest_id_then_it_is_followed(play: Stage) -> None:
    """Ids of up to 255 characters are as good as any."""
    run(play, "x" * 255)
    assert play.value(catalogue.TASK_SUCCEEDED, *WHERE) == 1
