"""A worker that is stuck is told from one that is lost and from one that merely works."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from tests.servers import daemon, deadline, process

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import redis, worker


def test_a_frozen_worker_that_still_counts_as_up_is_not_answering(
    redis_server: redis.RedisServer,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
) -> None:
    """Two polls without an answer make it wedged; the first answer ends that."""
    sentinel = ask_often(redis_server.url)
    frozen = start_worker(redis_server.url, extra_args=["--heartbeat-interval=30"])
    deadline.wait_until(lambda: _wedged(sentinel, "not_answering") == 0, 20, "w1 answers")

    frozen.process.send(signal.SIGSTOP)

    deadline.wait_until(lambda: _wedged(sentinel, "not_answering") == 1, 20, "w1 is wedged")
    assert _up(sentinel) == 1
    frozen.process.send(signal.SIGCONT)
    deadline.wait_until(lambda: _wedged(sentinel, "not_answering") == 0, 20, "w1 is well again")


def test_a_frozen_worker_whose_beats_are_overdue_is_lost_and_not_wedged(
    redis_server: redis.RedisServer,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
) -> None:
    """Of a worker that is down nothing is said but that it is down."""
    sentinel = ask_often(redis_server.url)
    frozen = start_worker(redis_server.url)
    deadline.wait_until(lambda: _wedged(sentinel, "not_answering") == 0, 20, "w1 answers")

    frozen.process.send(signal.SIGSTOP)

    deadline.wait_until(lambda: _up(sentinel) == 0, 20, "w1 is lost")
    assert _wedged(sentinel, "not_answering") is None
    assert daemon.total(sentinel.scrape(), "celery_worker_responding") is None
    frozen.process.send(signal.SIGCONT)
    deadline.wait_until(lambda: _up(sentinel) == 1, 20, "w1 is up again")


def test_a_worker_whose_pool_is_frozen_makes_no_progress(
    redis_server: redis.RedisServer,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """It beats and answers, yet its queue fills and nothing starts; progress ends that."""
    sentinel = ask_often(redis_server.url)
    stuck = start_worker(redis_server.url, config={"worker_prefetch_multiplier": 1})
    deadline.wait_until(lambda: _wedged(sentinel, "no_progress") == 0, 20, "w1 answers")
    children = _children(stuck)
    assert len(children) == 2

    for child in children:
        os.kill(child, signal.SIGSTOP)
    sending = make_producer(redis_server.url)
    for _ in range(10):
        sending.send("quick")

    deadline.wait_until(lambda: _wedged(sentinel, "no_progress") == 1, 30, "w1 is wedged")
    assert _up(sentinel) == 1
    assert daemon.total(sentinel.scrape(), "celery_worker_responding") == 1
    for child in children:
        os.kill(child, signal.SIGCONT)
    deadline.wait_until(lambda: _wedged(sentinel, "no_progress") == 0, 20, "w1 is well again")
    deadline.wait_until(lambda: stuck.truth.outcomes()["succeeded"] == 10, 20, "all tasks ran")


def test_a_worker_with_all_slots_busy_beside_a_backlog_is_not_wedged(
    redis_server: redis.RedisServer,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """A full queue and a count that stands still say nothing while every slot works."""
    sentinel = ask_often(redis_server.url)
    busy = start_worker(redis_server.url, config={"worker_prefetch_multiplier": 1})
    deadline.wait_until(lambda: _wedged(sentinel, "no_progress") == 0, 20, "w1 answers")
    sending = make_producer(redis_server.url)
    for _ in range(8):
        sending.send("slow", 9.0)

    seen: set[float | None] = set()

    def first_ended() -> bool:
        seen.add(_wedged(sentinel, "no_progress"))
        return busy.truth.outcomes()["succeeded"] >= 2

    deadline.wait_until(first_ended, 30, "the first two tasks have ended")
    assert seen == {0.0}


def test_a_solo_worker_that_works_for_long_is_neither_wedged_nor_lost(
    redis_server: redis.RedisServer,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Its only thread can neither beat nor answer, so for a while nothing is said of it."""
    sentinel = ask_often(redis_server.url)
    start_worker(redis_server.url, pool="solo", concurrency=1)
    deadline.wait_until(lambda: _wedged(sentinel, "not_answering") == 0, 20, "w1 answers")
    make_producer(redis_server.url).send("slow", 15.0)

    ups: list[float | None] = []
    wedges: set[float | None] = set()

    def back() -> bool:
        samples = sentinel.scrape()
        ups.append(daemon.total(samples, "celery_worker_up", hostname="w1@fleet"))
        wedges.add(daemon.total(samples, "celery_worker_wedged", hostname="w1@fleet"))
        return ups[-1] == 1 and None in ups

    deadline.wait_until(back, 40, "w1 fell silent and is up again")
    assert set(ups) == {1.0, None}
    assert wedges <= {0.0, None}
    assert daemon.total(sentinel.scrape(), "celery_worker_lost_total") == 0


def _up(sentinel: daemon.Daemon) -> float | None:
    return daemon.total(sentinel.scrape(), "celery_worker_up", hostname="w1@fleet")


def _wedged(sentinel: daemon.Daemon, reason: str) -> float | None:
    return daemon.total(
        sentinel.scrape(), "celery_worker_wedged", hostname="w1@fleet", reason=reason
    )


def _children(parent: worker.CeleryWorker) -> list[int]:
    """Return the processes of the pool."""
    return [pid for pid in process.group_states(parent.pid) if pid != parent.pid]
