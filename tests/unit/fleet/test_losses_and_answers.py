"""What workers answer when asked makes the account of starts exact, and cannot spoil it."""

from __future__ import annotations

import pytest

from celery_sentinel import poll_results
from celery_sentinel.config import schema
from celery_sentinel.fleet import missed_events
from tests.unit.fleet import stage
from tests.unit.fleet.accounts import PID, Process, missed, settle


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
    assert missed(play) == 6


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
    assert missed(play) == 2


def test_a_task_that_sends_no_events_is_not_missed(play: stage.Stage, process: Process) -> None:
    """Its name is learnt from the answers; real losses beside it are still found."""
    process.answer()
    settle(process)
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
    assert missed(play) == lost


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
    assert missed(play) == 4


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
    assert missed(play) == 0
    process.beat(20)
    assert missed(play) == 3


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
    assert missed(play) in {0, 2}


def test_an_answer_of_two_workers_is_not_taken(play: stage.Stage, process: Process) -> None:
    """Nobody knows whose counts it has."""
    for _ in range(3):
        process.beat(5)
        play.answers(
            [
                poll_results.WorkerReading(
                    hostname=stage.WORKER,
                    pid=PID,
                    clock=process.clock,
                    started={"x": 99},
                    answers=2,
                )
            ]
        )
    assert missed(play) == 0


def test_names_of_all_accounts_together_are_bounded(
    play: stage.Stage, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the bound an answer is not taken; names that stay need no more room."""
    monkeypatch.setattr(missed_events, "MAX_KEPT", 30)
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
