"""What a worker says it started and what was heard of it must add up."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from celery_sentinel import catalogue, readings
from celery_sentinel.config import schema
from celery_sentinel.fleet import losses
from tests.unit.fleet import stage

if TYPE_CHECKING:
    from collections.abc import Iterable

PID = 7
BEAT = 2.0  # seconds


class Process:
    """A worker's process: its Lamport clock and what it has started."""

    def __init__(self, to: stage.Stage, hostname: str = stage.WORKER, pid: int = PID) -> None:
        self.stage, self.hostname, self.pid = to, hostname, pid
        self.clock = self.processed = 0
        self.ids = count()

    def run(self, times: int = 1, *, name: str = stage.TASK, heard: bool = True) -> None:
        """Start and end tasks; of one not heard nothing arrives."""
        for _ in range(times):
            self.processed += 1
            uuid = f"{self.hostname}-{self.pid}-{next(self.ids)}"
            for type_ in ("received", "started", "succeeded"):
                self.clock += 1
                if heard:
                    common: dict[str, Any] = {"clock": self.clock, "pid": self.pid}
                    given = {"name": name} if type_ == "received" else {}
                    self.stage.hear(
                        f"task-{type_}", uuid=uuid, hostname=self.hostname, **common, **given
                    )

    def beat(self, times: int = 1, *, active: int = 0) -> None:
        """Send heartbeats, each two seconds after the last."""
        for _ in range(times):
            self.stage.pass_time(BEAT)
            self.clock += 1
            counts = {"processed": self.processed, "active": active}
            self.stage.beat(self.hostname, pid=self.pid, clock=self.clock, **counts)

    def answer(self, totals: dict[str, int] | None = None) -> None:
        """Answer a poll; by default all tasks are of the one name that sends events."""
        self.clock += 1
        started = {stage.TASK: self.processed} if totals is None else totals
        self.stage.answer(self.hostname, pid=self.pid, clock=self.clock, started=started)


@pytest.fixture
def play() -> stage.Stage:
    """Return a stage that has heard nothing yet."""
    return stage.Stage()


@pytest.fixture
def process(play: stage.Stage) -> Process:
    """Return a process whose account runs."""
    found = Process(play)
    found.beat()
    found.run()
    found.beat()
    return found


def _missed(play: stage.Stage, hostname: str = stage.WORKER) -> float | None:
    found: float | None = play.value(catalogue.EVENTS_MISSED, hostname)
    return found


def _settle(process: Process, times: int = 2) -> None:
    """Let so many heartbeats and answers pass that everything before them is judged."""
    for _ in range(times):
        process.beat(5)
        process.answer()
    process.beat(5)


def test_a_stream_without_holes_has_missed_nothing(play: stage.Stage, process: Process) -> None:
    """0 is a finding, and the account is open."""
    for _ in range(10):
        process.run(7)
        process.beat()
    _settle(process)
    assert _missed(play) == 0


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
    _settle(process)
    assert _missed(play) == 5
    process.run(10)
    _settle(process)
    assert _missed(play) == 5


def test_nothing_is_said_of_a_worker_before_its_account_runs(play: stage.Stage) -> None:
    """Without a heartbeat that counts, absent; without task events, too."""
    assert _missed(play) is None
    play.beat(processed=None)
    assert _missed(play) is None
    silent = Process(play)
    silent.run(5, heard=False)
    silent.beat(6)
    assert _missed(play) is None


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
    _settle(process)
    assert _missed(play) == 0


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
            assert _missed(play) == 0
    process.run(2, heard=False)
    for _ in range(20):
        process.run(3)
        process.beat(active=2)
    assert _missed(play) == 0
    _settle(process)
    assert _missed(play) == 2


def test_a_worker_that_is_asked_often_is_as_exact_as_any(
    play: stage.Stage, process: Process
) -> None:
    """What an answer cannot tell of a pool of threads, the idle heartbeats around it do."""
    play.answer(pool="threads", concurrency=4, pid=PID)
    process.run(5)
    process.beat()
    process.run(6, heard=False)
    process.run()
    for _ in range(12):
        process.beat(2)
        process.answer()
    assert _missed(play) == 6


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
    _settle(process)
    process.run(4, heard=False)
    process.run()
    _settle(process)
    assert _missed(play) == 4


def test_of_a_pool_that_does_one_thing_at_a_time_nothing_is_taken_off(
    play: stage.Stage, process: Process
) -> None:
    """A prefork worker that is never idle is exact all the same."""
    play.answer(pool="prefork", pid=PID)
    process.run(2, heard=False)
    for _ in range(4):
        for _ in range(5):
            process.run(3)
            process.beat(active=2)
        process.answer()
    assert _missed(play) == 2


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
        _settle(again)
    assert _missed(play) == 2


def test_what_is_missed_of_a_worker_that_leaves_is_counted(
    play: stage.Stage, process: Process
) -> None:
    """Its goodbye carries the last count; the number stays though the worker has gone."""
    process.run(5)
    process.run(2, heard=False)
    process.clock += 1
    play.offline(clock=process.clock, processed=process.processed)
    play.pass_time(10)
    assert _missed(play) == 2


def test_what_is_missed_of_a_worker_that_is_lost_is_counted(
    play: stage.Stage, process: Process
) -> None:
    """Up to its last heartbeat."""
    process.run(5)
    process.run(2, heard=False)
    process.beat()
    play.pass_time(30)
    assert play.value(catalogue.WORKER_UP, stage.WORKER) == 0
    assert _missed(play) == 2


def test_a_worker_that_was_silent_and_comes_back_goes_on_with_its_account(
    play: stage.Stage, process: Process
) -> None:
    """Cut off for a while, by its network or a broker that stood still."""
    process.run(5)
    process.beat()
    play.pass_time(30)
    assert play.value(catalogue.WORKER_UP, stage.WORKER) == 0
    process.run(6, heard=False)
    process.run()
    process.beat()
    process.run()
    _settle(process)
    assert play.value(catalogue.WORKER_UP, stage.WORKER) == 1
    assert _missed(play) == 6


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
    _settle(process)
    assert play.value(catalogue.WORKER_EVENTS_ENABLED, stage.WORKER) == 1
    assert _missed(play) == 0


def test_a_task_that_sends_no_events_is_not_missed(play: stage.Stage, process: Process) -> None:
    """Its name is learnt from the answers; real losses beside it are still found."""
    process.answer()
    _settle(process)
    totals = {stage.TASK: process.processed, "quiet": 0}
    lost = 0
    for number in range(8):
        process.run(6)
        process.run(4, name="quiet", heard=False)
        if number == 3:
            process.run(3, heard=False)
            lost = 3
        totals["quiet"] += 4
        totals[stage.TASK] = process.processed - totals["quiet"]
        process.beat(5)
        process.answer(totals)
    process.beat(5)
    assert _missed(play) == lost


def test_a_name_that_was_run_before_us_excuses_nothing_later(
    play: stage.Stage, process: Process
) -> None:
    """An eventless total that stands still is history."""
    totals = {stage.TASK: process.processed, "nightly": 40}
    process.processed += 40
    process.beat()
    process.answer(totals)
    for _ in range(4):
        process.run(5)
        totals[stage.TASK] += 5
        process.beat(4)
        process.answer(totals)
    process.run(4, heard=False)
    process.run()
    totals[stage.TASK] += 5
    for _ in range(4):
        process.beat(4)
        process.answer(totals)
    assert _missed(play) == 4


def test_one_loss_before_a_long_rest_does_not_pass_for_events_switched_off(
    play: stage.Stage, process: Process
) -> None:
    """It is counted once the worker is heard again."""
    process.run(2, heard=False)
    _settle(process)
    assert play.value(catalogue.WORKER_EVENTS_ENABLED, stage.WORKER) == 1
    assert _missed(play) == 0
    process.run()
    _settle(process)
    assert _missed(play) == 2


def test_without_answers_a_loss_is_found_a_few_polls_later() -> None:
    """Remote control may be off; then there is nothing to wait for."""
    play = stage.Stage(schema.Config(polling=schema.Polling(workers=10.0)))
    process = Process(play)
    process.beat()
    process.run()
    process.beat()
    process.run(3, heard=False)
    process.run()
    process.beat(6)
    assert _missed(play) == 0
    process.beat(20)
    assert _missed(play) == 3


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
    assert _total_after_patience(play, (first, second)) == 4


def test_two_processes_of_one_name_and_id_are_not_held_to_account(play: stage.Stage) -> None:
    """Containers: their clocks mix, and their counts alternate."""
    first, second = Process(play), Process(play)
    first.run(20)
    for _ in range(20):
        for one in (first, second):
            one.run(3)
            one.beat()
    _settle(first)
    assert not _missed(play)


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
    _settle(process)
    assert _missed(play) == 9


def test_an_account_goes_on_after_a_restart_of_ours(play: stage.Stage, process: Process) -> None:
    """What was missed before is not counted again; what was started meanwhile was missed."""
    process.run(3, heard=False)
    process.run(2)
    _settle(process)
    assert _missed(play) == 3
    worker = play.worker()
    balance = worker.ledgers[PID].balance()
    assert balance is not None

    process.run(4, heard=False)
    worker.ledgers[PID].resume(balance)
    process.run(5)
    _settle(process)
    assert _missed(play) == 7


@pytest.mark.parametrize("clock", [None, -1, 2**70])
def test_no_clock_of_a_sender_harms(clock: int | None, play: stage.Stage, process: Process) -> None:
    """Blind events have none, hostile ones any."""
    play.started("odd", clock=clock, pid=PID)
    play.beat(clock=clock, processed=process.processed)
    for _ in range(5):
        process.run(2)
        process.beat()
    _settle(process)
    assert play.fleet.failures == 0


def test_starts_without_a_heartbeat_are_not_hoarded(play: stage.Stage, process: Process) -> None:
    """A process that stops beating and works on is given up at some size."""
    worker = play.worker()
    worker.starts[PID].extend(range(10_000_000, 10_000_000 + 200_001))
    process.beat(2)
    assert not worker.starts[PID]
    assert _missed(play) == 0


@pytest.mark.parametrize(
    "started",
    [{}, {"a": -1}, {"a": 2**70}, {str(n): 1 for n in range(6000)}, {"\x00": 1, "\udcff": 2}],
)
def test_no_answer_harms(started: dict[str, int], play: stage.Stage, process: Process) -> None:
    """Counts below zero, beyond all bounds, of too many names or of impossible ones."""
    process.run(2, heard=False)
    for _ in range(3):
        process.beat(5)
        process.answer(started)
    assert play.fleet.failures == 0
    assert _missed(play) in {0, 2}


def test_an_answer_of_two_workers_is_not_taken(play: stage.Stage, process: Process) -> None:
    """Nobody knows whose counts it has."""
    for _ in range(3):
        process.beat(5)
        play.answers(
            [
                readings.WorkerReading(
                    hostname=stage.WORKER,
                    pid=PID,
                    clock=process.clock,
                    started={"x": 99},
                    answers=2,
                )
            ]
        )
    assert _missed(play) == 0


def test_names_of_all_accounts_together_are_bounded(
    play: stage.Stage, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the bound an answer is not taken; names that stay need no more room."""
    monkeypatch.setattr(losses, "MAX_KEPT", 30)
    other = Process(play, "w2@host")
    other.run()
    other.beat()
    many = {f"n{n}": 1 for n in range(20)}
    for _ in range(3):
        process.beat()
        process.answer(many)
        other.beat()
        other.answer(many)
    kept = [play.worker(name).ledgers[PID].kept for name in (stage.WORKER, "w2@host")]
    assert kept == [20, 0]


def _total_after_patience(play: stage.Stage, processes: Iterable[Process]) -> float | None:
    for _ in range(30):
        for one in processes:
            one.beat()
    return _missed(play)
