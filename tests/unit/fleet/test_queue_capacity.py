"""Slots and workers of a queue, which autoscalers read, are what is there, or absent."""

from __future__ import annotations

from typing import Any

import pytest

from celery_sentinel import poll_results
from celery_sentinel.config import schema
from celery_sentinel.fleet import result_backend_health
from celery_sentinel.metrics import catalogue
from celery_sentinel.metrics.collectors import queues
from tests.unit.fleet.stage import Stage

CREW = (
    catalogue.QUEUE_WORKERS,
    catalogue.QUEUE_SLOTS,
    catalogue.QUEUE_SLOTS_BUSY,
)
_FAILED = poll_results.Trouble(reason="timeout", text="timed out")
FACTS: dict[str, Any] = {"pool": "prefork", "concurrency": 4, "queues": ("mail",)}


@pytest.fixture
def play() -> Stage:
    """Return a fleet with two configured queues."""
    return Stage(schema.Config(queues=schema.Queues(watch=("mail", "idle"))))


def crew(play: Stage, queue: str = "mail") -> tuple[int | None, ...]:
    """Return workers, slots and busy slots of a queue."""
    return tuple(play.value(metric, queue) for metric in CREW)


def consumers(play: Stage, queue: str = "mail") -> int | None:
    """Return what celery_queue_consumers says."""
    found = play.value(catalogue.QUEUE_CONSUMERS, queue)
    return None if found is None else int(found)


def test_given_no_full_round_then_nothing_is_shown(play: Stage) -> None:
    """Before all workers were asked, it is not known who consumes a queue."""
    play.beat()
    assert crew(play) == (None, None, None)
    play.answer(**FACTS, among=["w1@host"])
    assert crew(play) == (None, None, None)
    assert consumers(play) is None


def test_given_workers_then_each_queue_has_the_sum_of_its_own(play: Stage) -> None:
    """Workers, slots and busy slots add up; a queue that nobody consumes has none."""
    play.beat("a@h", active=1)
    play.beat("b@h", active=9)
    play.answers(
        [
            poll_results.WorkerReading(hostname="a@h", **FACTS),
            poll_results.WorkerReading(hostname="b@h", concurrency=9, queues=("mail", "sms")),
        ]
    )
    assert crew(play) == (2, 13, 10)
    assert crew(play, "sms") == (1, 9, 9)
    assert crew(play, "idle") == (0, 0, 0)


def test_given_more_that_runs_than_was_said_to_fit_then_there_is_room_for_it(play: Stage) -> None:
    """A pool may have grown since it was asked: never are more slots busy than there are."""
    play.beat(active=1)
    play.answer(**FACTS, pool_size=2)
    assert play.value(catalogue.WORKER_POOL_SIZE, "w1@host") == 2
    play.beat(active=7)
    assert crew(play) == (1, 7, 7)
    assert play.value(catalogue.WORKER_CONCURRENCY, "w1@host") == 7
    assert play.value(catalogue.WORKER_POOL_SIZE, "w1@host") == 7
    assert play.worker("w1@host").free_slots == 0
    play.beat(active=1)
    assert crew(play) == (1, 4, 1)


def test_given_a_beat_that_tells_more_than_can_be_then_it_is_not_believed(play: Stage) -> None:
    """Anybody may send one."""
    play.beat(active=2**62)
    play.answer(**FACTS)
    assert crew(play) == (1, 10_000, 10_000)
    assert play.worker("w1@host").free_slots == 0


def test_given_a_worker_that_does_not_tell_its_slots_then_those_of_its_queues_are_unknown(
    play: Stage,
) -> None:
    """Its colleagues' alone would be too few."""
    play.beat("a@h", active=1)
    play.beat("b@h", active=2)
    play.answers(
        [
            poll_results.WorkerReading(hostname="a@h", **FACTS),
            poll_results.WorkerReading(hostname="b@h", queues=("mail",)),
        ]
    )
    assert crew(play) == (2, None, 3)


def test_given_answers_without_end_of_a_size_then_it_is_told_no_more(play: Stage) -> None:
    """How large a pool is now is true for three polls; how large it may be, until it says more."""
    play.beat()
    play.answer(**FACTS, pool_size=2)
    play.pass_time(100)
    play.beat()
    assert play.value(catalogue.WORKER_POOL_SIZE, "w1@host") is None
    assert play.value(catalogue.WORKER_CONCURRENCY, "w1@host") == 4


def test_given_a_worker_that_lists_a_queue_twice_then_it_counts_once(play: Stage) -> None:
    """One worker is one, however it was told its queues."""
    play.beat()
    play.answer(concurrency=4, queues=("mail", "mail"))
    assert crew(play) == (1, 4, 0)


def test_given_a_worker_whose_queues_are_unknown_then_no_queue_is_said_to_have_none(
    play: Stage,
) -> None:
    """The one that has not answered may consume any of them."""
    play.beat("a@h")
    play.beat("b@h")
    play.answer("a@h", **FACTS)
    assert crew(play) == (1, 4, 0)
    assert crew(play, "idle") == (None, None, None)
    play.answers([poll_results.WorkerReading(hostname=name, **FACTS) for name in ("a@h", "b@h")])
    assert crew(play, "idle") == (0, 0, 0)


def test_given_no_worker_at_all_then_that_is_known_after_a_round(play: Stage) -> None:
    """A queue without any consumer is to be seen."""
    play.answer(None)
    assert crew(play) == (0, 0, 0)
    assert consumers(play) == 0


@pytest.mark.parametrize("how", ["offline", "lost"])
def test_given_a_worker_that_is_gone_then_it_is_of_no_crew(play: Stage, how: str) -> None:
    """Its slots will run nothing."""
    play.beat()
    play.answer(**FACTS)
    assert crew(play) == (1, 4, 0)
    if how == "offline":
        play.jump(1)
        play.offline()
    else:
        play.pass_time(11)
    assert crew(play) == (0, 0, 0)


def test_given_a_worker_that_does_not_answer_then_it_keeps_its_slots(play: Stage) -> None:
    """Busy is not gone: it is up, and what it consumes is what it told."""
    play.beat(active=4)
    play.answer(**FACTS)
    play.answer(None)
    assert crew(play) == (1, 4, 4)


def test_given_a_worker_without_heartbeats_then_it_counts_while_it_answers(play: Stage) -> None:
    """It is not up, which cannot be known, but it is there."""
    play.answer(**FACTS)
    assert crew(play) == (1, 4, 0)
    play.pass_time(30)
    play.answer(None)
    assert crew(play) == (0, 0, 0)


def test_given_a_solo_worker_at_work_then_it_is_there_and_busy(play: Stage) -> None:
    """While it is neither heard nor answers it runs a task."""
    play.beat(active=0)
    play.answer(pool="solo", concurrency=1, queues=("mail",))
    assert crew(play) == (1, 1, 0)
    play.pass_time(30)
    play.answer(None)
    assert play.children(catalogue.WORKER_UP) == {}
    assert crew(play) == (1, 1, 1)


def test_given_the_brokers_count_then_it_is_taken_before_ours(play: Stage) -> None:
    """RabbitMQ knows consumers that are no workers; Redis knows none at all."""
    play.beat()
    play.answer(**FACTS)
    play.read(
        {
            "mail": poll_results.QueueReading(length=0, consumers=7),
            "idle": poll_results.QueueReading(length=0),
        }
    )
    assert (consumers(play), consumers(play, "idle")) == (7, 0)
    assert crew(play)[0] == 1


def test_given_compat_then_the_old_names_say_the_same(play: Stage) -> None:
    """Aliases are the same children under the names of the de-facto exporter."""
    play.beat(active=1)
    play.answer(**FACTS)
    play.read({"mail": poll_results.QueueReading(length=0, consumers=7)})
    for alias, metric in (
        (catalogue.CONSUMERS_COMPAT, catalogue.QUEUE_CONSUMERS),
        (catalogue.WORKERS_COMPAT, catalogue.QUEUE_WORKERS),
        (catalogue.PROCESSES_COMPAT, catalogue.QUEUE_SLOTS),
    ):
        assert play.children(alias) == play.children(metric) != {}


def test_given_no_result_backend_then_its_families_are_not_there(play: Stage) -> None:
    """What is not configured is not even announced."""
    shown = {family.metric for family in queues.collect(play.fleet, play.stream)}
    assert not shown & {catalogue.RESULT_BACKEND_UP, catalogue.RESULT_BACKEND_ROUND_TRIP}


def test_given_a_result_backend_then_it_is_unknown_up_and_down_in_turn(play: Stage) -> None:
    """Absent before the first poll; a backend that is down has no round trip."""
    results = result_backend_health.Backend("redis")

    def shown() -> list[dict[tuple[str, ...], Any]]:
        families = {f.metric: f for f in queues.collect(play.fleet, play.stream, results)}
        metrics = (catalogue.RESULT_BACKEND_UP, catalogue.RESULT_BACKEND_ROUND_TRIP)
        return [dict(families[metric].children) for metric in metrics]

    assert shown() == [{}, {}]
    results.note(0.25)
    assert shown() == [{("redis",): 1}, {(): 0.25}]
    results.note(None)
    assert shown() == [{("redis",): 0}, {}]


def test_given_polls_then_how_they_went_shows_by_poller(play: Stage) -> None:
    """Duration and outcome of the last one, and when one last succeeded."""
    play.fleet.note_poll("queues", duration=0.5, wall=100.0)
    play.fleet.note_poll("queues", duration=2.0, trouble=_FAILED, wall=105.0)
    play.fleet.note_poll("workers", duration=2.5, trouble=_FAILED, wall=105.0)
    assert play.children(catalogue.POLL_DURATION) == {("queues",): 2.0, ("workers",): 2.5}
    assert play.children(catalogue.POLL_SUCCESS) == {("queues",): 0, ("workers",): 0}
    assert play.children(catalogue.POLL_LAST_SUCCESS) == {("queues",): 100.0}
