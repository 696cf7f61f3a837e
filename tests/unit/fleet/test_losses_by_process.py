"""An account of starts is kept for each process: over restarts, ends, silences and gaps."""

from __future__ import annotations

from celery_sentinel.metrics import catalogue
from tests.unit.fleet import stage
from tests.unit.fleet.accounts import PID, Process, missed, settle


def test_a_restart_begins_a_new_account_and_closes_the_old(
    play: stage.Stage, process: Process
) -> None:
    """With a new process id, or with the same in a container."""
    process.run(5)
    process.run(2, heard=False)
    process.beat(8)
    for pid in (8, 8):
        again = Process(play, pid=pid)
        again.clock = 0
        play.online(pid=pid, clock=1, processed=0)
        again.beat()
        again.run(4)
        again.beat(3)
        again.run(3)
        settle(again)
    assert missed(play) == 2


def test_what_is_missed_of_a_worker_that_leaves_is_counted(
    play: stage.Stage, process: Process
) -> None:
    """Its goodbye carries the last count; the number stays though the worker has gone."""
    process.run(5)
    process.run(2, heard=False)
    process.clock += 1
    play.offline(clock=process.clock, processed=process.processed)
    play.pass_time(10)
    assert missed(play) == 2


def test_what_is_missed_of_a_worker_that_is_lost_is_counted(
    play: stage.Stage, process: Process
) -> None:
    """Up to its last heartbeat."""
    process.run(5)
    process.run(2, heard=False)
    process.beat()
    play.answer(pool="prefork")
    play.pass_time(30)
    assert play.value(catalogue.WORKER_UP, stage.WORKER) == 0
    assert missed(play) == 2


def test_a_worker_that_was_silent_and_comes_back_goes_on_with_its_account(
    play: stage.Stage, process: Process
) -> None:
    """Cut off for a while, by its network or a broker that stood still."""
    process.run(5)
    process.beat()
    play.answer(pool="prefork")
    play.pass_time(30)
    assert play.value(catalogue.WORKER_UP, stage.WORKER) == 0
    process.run(6, heard=False)
    process.run()
    process.beat()
    process.run()
    settle(process)
    assert play.value(catalogue.WORKER_UP, stage.WORKER) == 1
    assert missed(play) == 6


def test_two_processes_of_one_name_have_an_account_each(play: stage.Stage) -> None:
    """As long as their process ids differ."""
    first, second = Process(play, pid=7), Process(play, pid=8)
    for number in range(12):
        for one in (first, second):
            one.run(3)
            if number == 5:
                one.run(2, heard=False)
            one.beat()
    for _ in range(3):
        for one in (first, second):
            one.beat(5)
    play.pass_time(0.5)
    for _ in range(30):
        for one in (first, second):
            one.beat()
    assert missed(play) == 4


def test_two_processes_of_one_name_and_id_are_not_held_to_account(play: stage.Stage) -> None:
    """Containers: their clocks mix, and their counts alternate."""
    first, second = Process(play), Process(play)
    first.run(20)
    for _ in range(20):
        for one in (first, second):
            one.run(3)
            one.beat()
    settle(first)
    assert not missed(play)


def test_a_gap_of_ours_is_in_the_account(play: stage.Stage, process: Process) -> None:
    """What a worker that was known to send events started while we were away was missed."""
    process.run(5)
    process.beat(3)
    process.run(9, heard=False)
    play.pass_time(6, listening=False)
    play.fleet.resubscribed(play.now)
    process.beat(2)
    assert play.value(catalogue.WORKER_EVENTS_ENABLED, stage.WORKER) == 1
    process.run(2)
    settle(process)
    assert missed(play) == 9


def test_an_account_goes_on_after_a_restart_of_ours(play: stage.Stage, process: Process) -> None:
    """What was missed before is not counted again; what was started meanwhile was missed."""
    process.run(3, heard=False)
    process.run(2)
    settle(process)
    assert missed(play) == 3
    worker = play.worker()
    balance = worker.ledgers[PID].balance()
    assert balance is not None

    process.run(4, heard=False)
    worker.ledgers[PID].resume(balance)
    process.run(5)
    settle(process)
    assert missed(play) == 7
