"""What a worker says it started and what was heard of it must add up."""

from __future__ import annotations

import pytest

from celery_sentinel.metrics import catalogue
from tests.unit.fleet import stage
from tests.unit.fleet.accounts import PID, Process, missed, settle


def test_a_stream_without_holes_has_missed_nothing(play: stage.Stage, process: Process) -> None:
    """0 is a finding, and the account is open."""
    for _ in range(10):
        process.run(7)
        process.beat()
    settle(process)
    assert missed(play) == 0


def test_starts_that_never_came_are_counted_to_the_event(
    play: stage.Stage, process: Process
) -> None:
    """Lost in one window or spread over several, they are counted once."""
    process.run(20)
    process.run(3, heard=False)
    process.beat()
    process.run(5)
    process.beat(2)
    process.run(2, heard=False)
    process.run(5)
    settle(process)
    assert missed(play) == 5
    process.run(10)
    settle(process)
    assert missed(play) == 5


def test_nothing_is_said_of_a_worker_before_its_account_runs(play: stage.Stage) -> None:
    """Without a heartbeat that counts, absent; without task events, too."""
    assert missed(play) is None
    play.beat(processed=None)
    assert missed(play) is None
    silent = Process(play)
    silent.run(5, heard=False)
    silent.beat(6)
    assert missed(play) is None


def test_starts_that_come_after_their_heartbeat_are_not_missed(
    play: stage.Stage, process: Process
) -> None:
    """Task events are written in batches, a heartbeat at once."""
    process.run(5)
    late = [process.clock + 1, process.clock + 2]
    process.clock += 2
    process.processed += 2
    process.beat()
    for clock in late:
        play.started(f"late-{clock}", clock=clock, pid=PID)
    process.run(5)
    settle(process)
    assert missed(play) == 0


def test_tasks_counted_before_a_heartbeat_and_written_behind_it_are_not_missed(
    play: stage.Stage, process: Process
) -> None:
    """With threads that may be so at every heartbeat; a loss shows when the worker rests."""
    for number in range(60):
        process.run(3)
        process.processed += 2  # counted and being acknowledged
        process.beat(active=2)
        process.processed -= 2
        process.run(2)
        if number % 20 == 10:
            process.answer()
            assert missed(play) == 0
    process.run(2, heard=False)
    for _ in range(20):
        process.run(3)
        process.beat(active=2)
    assert missed(play) == 0
    settle(process)
    assert missed(play) == 2


def test_a_base_that_counted_unwritten_tasks_hides_no_loss(play: stage.Stage) -> None:
    """The first heartbeat of the account may have been such a one."""
    process = Process(play)
    process.run()
    process.beat()
    process.processed += 3
    process.run()
    process.beat(active=3)
    process.processed -= 3
    process.run(3)
    settle(process)
    process.run(4, heard=False)
    process.run()
    settle(process)
    assert missed(play) == 4


def test_events_switched_off_and_on_again_are_not_missed(
    play: stage.Stage, process: Process
) -> None:
    """Not even in the windows in which the switch was thrown."""
    process.run(5)
    process.run(2, heard=False)  # switched off in this window
    process.beat()
    for _ in range(6):
        process.run(3, heard=False)
        process.beat()
    assert play.value(catalogue.WORKER_EVENTS_ENABLED, stage.WORKER) == 0
    process.run(2, heard=False)
    process.run(2)  # and on again
    process.beat()
    for _ in range(4):
        process.run(3)
        process.beat()
    settle(process)
    assert play.value(catalogue.WORKER_EVENTS_ENABLED, stage.WORKER) == 1
    assert missed(play) == 0


def test_one_loss_before_a_long_rest_does_not_pass_for_events_switched_off(
    play: stage.Stage, process: Process
) -> None:
    """It is counted once the worker is heard again."""
    process.run(2, heard=False)
    settle(process)
    assert play.value(catalogue.WORKER_EVENTS_ENABLED, stage.WORKER) == 1
    assert missed(play) == 0
    process.run()
    settle(process)
    assert missed(play) == 2


@pytest.mark.parametrize("clock", [None, -1, 2**70])
def test_no_clock_of_a_sender_harms(clock: int | None, play: stage.Stage, process: Process) -> None:
    """Blind events have none, hostile ones any."""
    play.started("odd", clock=clock, pid=PID)
    play.beat(clock=clock, processed=process.processed)
    for _ in range(5):
        process.run(2)
        process.beat()
    settle(process)
    assert play.fleet.failures == 0


def test_starts_without_a_heartbeat_are_not_hoarded(play: stage.Stage, process: Process) -> None:
    """A process that stops beating and works on is given up at some size."""
    worker = play.worker()
    worker.starts[PID].extend(range(10_000_000, 10_000_000 + 200_001))
    process.beat(2)
    assert not worker.starts[PID]
    assert missed(play) == 0
