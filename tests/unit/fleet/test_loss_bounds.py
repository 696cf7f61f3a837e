"""What is kept to find lost events has a bound, however long a judgement has to wait."""

from __future__ import annotations

import itertools
import random

import pytest

from celery_sentinel.fleet import worker_missed_events
from tests.unit.fleet import stage
from tests.unit.fleet.accounts import PID, Process, missed, settle

LARGE = 10**15  # a clock that no heartbeat of the test has passed


@pytest.fixture
def play() -> stage.Stage:
    """Return a stage that has heard nothing yet."""
    return stage.Stage()


def held_to_account(play: stage.Stage, hostname: str = stage.WORKER, pid: int = PID) -> Process:
    """Return a process whose account runs."""
    process = Process(play, hostname, pid)
    process.beat()
    process.run()
    process.beat()
    return process


def rest(play: stage.Stage, process: Process, beats: int) -> None:
    """Let a process beat without any work; it is asked now and then."""
    for number in range(beats):
        play.jump(2)
        process.clock += 1
        play.beat(process.hostname, pid=PID, clock=process.clock, processed=process.processed)
        if number % 15 == 0:
            process.answer()
            play.tick()


def test_a_night_after_one_loss_costs_no_memory(play: stage.Stage) -> None:
    """Until the worker is heard again nobody can tell whether it was one; then it is counted."""
    process = held_to_account(play)
    process.run(2, heard=False)
    rest(play, process, 5000)
    assert play.worker().unexplained_progress
    assert play.worker().ledgers[PID].waiting < 100
    process.run(3)
    settle(process)
    assert missed(play) == 2


def account(seed: int, monkeypatch: pytest.MonkeyPatch, most: int) -> int:
    """Return what an account finds missed that was judged after 500 points only."""
    monkeypatch.setattr(worker_missed_events, "MAX_POINTS", most)
    chosen = random.Random(seed)
    one, clock, started = worker_missed_events.Ledger(), 0, 0
    one.beat(clock, started, 0.0)
    for number in range(500):
        for _ in range(chosen.randrange(3)):
            clock, started = clock + 1, started + 1
            if chosen.random() < 0.9:
                one.starts.append(clock)
        clock += 1
        if chosen.random() < 0.1:
            one.answered(clock, started, (), float(number))
        else:
            one.beat(clock, started, float(number))
    return one.judge(1000.0, patience=90.0) + one.settle()


@pytest.mark.parametrize("seed", range(5))
def test_what_was_left_out_was_not_needed(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each point tells all since the base, so with fewer of them the account is as exact."""
    found = account(seed, monkeypatch, worker_missed_events.MAX_POINTS)
    assert found == account(seed, monkeypatch, 1000) > 20


def test_starts_of_a_process_that_never_beats_again_are_not_hoarded(play: stage.Stage) -> None:
    """It is heard by its tasks, so it is not lost; at some size its account is given up."""
    process = held_to_account(play)
    play.worker().starts[PID].extend(range(LARGE, LARGE + worker_missed_events.MAX_STARTS + 1))
    play.tick()
    assert play.worker().starts[PID] == []
    process.beat()
    process.run(4)
    settle(process)
    assert missed(play) == 0


def test_starts_of_all_processes_together_are_bounded(play: stage.Stage) -> None:
    """The longest accounts begin anew; the others go on."""
    some = range(LARGE, LARGE + 150_000)
    workers = [f"w{number}@host" for number in range(8)]
    for number, hostname in enumerate(workers):
        held_to_account(play, hostname)
        play.worker(hostname).starts[PID].extend(itertools.islice(some, 150_000 - number))
    play.tick()
    kept = [len(play.worker(hostname).starts[PID]) for hostname in workers]
    assert sum(kept) <= worker_missed_events.MAX_ALL_STARTS
    assert kept[:2] == [0, 0]
    assert min(kept[2:]) > 149_000


@pytest.mark.parametrize("sign", [-1, 2**63])
def test_heartbeats_of_processes_that_cannot_be_open_no_account(
    play: stage.Stage, sign: int
) -> None:
    """A worker has the accounts of the processes that are remembered of it, and no more."""
    process = held_to_account(play)
    for number in range(1, 50):
        play.beat(pid=sign * number, clock=LARGE + number, processed=process.processed)
    assert list(play.worker().ledgers) == [PID]
    process.run(2, heard=False)
    process.run()
    settle(process)
    assert missed(play) == 2
