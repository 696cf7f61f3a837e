"""A worker that is stuck is told from one that is lost and from one that merely works."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

from tests.servers import daemon, deadline, process

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import redis, worker

SECONDS = 60.0
PATIENCE = 4.0  # seconds for which a worker of these tests must stand still to seem stuck


def test_a_frozen_worker_that_still_counts_as_up_is_not_answering(
    redis_server: redis.RedisServer,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
) -> None:
    """Two polls without an answer make it wedged; the first answer ends that."""
    sentinel = ask_often(redis_server.url)
    frozen = start_worker(redis_server.url, extra_args=["--heartbeat-interval=30"])
    deadline.wait_until(lambda: _answers(sentinel), SECONDS, "w1 answers")

    frozen.process.send(signal.SIGSTOP)

    deadline.wait_until(lambda: _wedged(sentinel, "not_answering") == 1, SECONDS, "w1 is wedged")
    assert _up(sentinel) == 1
    frozen.process.send(signal.SIGCONT)
    deadline.wait_until(lambda: _wedged(sentinel, "not_answering") == 0, SECONDS, "w1 is well")


def test_a_frozen_worker_whose_beats_are_overdue_is_lost_and_not_wedged(
    redis_server: redis.RedisServer,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
) -> None:
    """Of a worker that is down nothing is said but that it is down."""
    sentinel = ask_often(redis_server.url)
    frozen = start_worker(redis_server.url)
    deadline.wait_until(lambda: _answers(sentinel), SECONDS, "w1 answers")

    frozen.process.send(signal.SIGSTOP)

    deadline.wait_until(lambda: _up(sentinel) == 0, SECONDS, "w1 is lost")
    assert _wedged(sentinel, "not_answering") is None
    assert daemon.total(sentinel.scrape(), "celery_worker_responding") is None
    frozen.process.send(signal.SIGCONT)
    deadline.wait_until(lambda: _up(sentinel) == 1, SECONDS, "w1 is up again")


def test_a_worker_whose_pool_is_frozen_makes_no_progress(
    redis_server: redis.RedisServer,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """It beats and answers, yet its queue fills and nothing starts; progress ends that."""
    sentinel = ask_often(redis_server.url, polling={"queues": "2s"})
    stuck = start_worker(redis_server.url, config={"worker_prefetch_multiplier": 1})
    deadline.wait_until(lambda: _answers(sentinel), SECONDS, "w1 answers")
    children = _children(stuck)
    assert len(children) == 2

    for child in children:
        os.kill(child, signal.SIGSTOP)
    sending = make_producer(redis_server.url)
    for _ in range(10):
        sending.send("quick")

    def judged() -> list[float | None]:
        samples = sentinel.scrape()
        wedged = daemon.total(samples, "celery_worker_wedged", reason="no_progress")
        names = ("celery_worker_up", "celery_worker_responding")
        return [wedged, *(daemon.total(samples, name) for name in names)]

    deadline.wait_until(lambda: judged() == [1, 1, 1], SECONDS, "w1 is wedged, up and answers")
    for child in children:
        os.kill(child, signal.SIGCONT)
    deadline.wait_until(lambda: _wedged(sentinel, "no_progress") == 0, SECONDS, "w1 is well")
    deadline.wait_until(lambda: stuck.truth.outcomes()["succeeded"] == 10, SECONDS, "all tasks ran")


def test_a_worker_with_all_slots_busy_beside_a_backlog_is_not_wedged(
    redis_server: redis.RedisServer,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """A full queue and a count that stands still say nothing while every slot works."""
    sentinel = ask_often(redis_server.url, polling={"queues": "2s"})
    start_worker(redis_server.url, config={"worker_prefetch_multiplier": 1})
    deadline.wait_until(lambda: _answers(sentinel), SECONDS, "w1 answers")
    sending = make_producer(redis_server.url)
    for _ in range(8):
        sending.send("slow", 600.0)

    def state() -> list[float | None]:
        samples = sentinel.scrape()
        length = daemon.total(samples, "celery_queue_length", queue_name="celery")
        return [daemon.total(samples, "celery_worker_tasks_active"), length]

    deadline.wait_until(lambda: state() == [2, 4], SECONDS, "both slots work beside a backlog")
    seen: set[float | None] = set()
    until = time.monotonic() + 2 * PATIENCE

    def long_enough() -> bool:
        seen.add(_wedged(sentinel, "no_progress"))
        return time.monotonic() > until

    deadline.wait_until(long_enough, SECONDS, "it has had time to seem stuck")
    assert 0.0 in seen
    assert 1.0 not in seen


def test_a_solo_worker_that_works_for_long_is_neither_wedged_nor_lost(
    redis_server: redis.RedisServer,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
    tmp_path: pathlib.Path,
) -> None:
    """Its only thread can neither beat nor answer, so for a while nothing is said of it."""
    sentinel = ask_often(redis_server.url)
    start_worker(redis_server.url, pool="solo", concurrency=1)

    def solo() -> float | None:
        return daemon.total(sentinel.scrape(), "celery_worker_info", pool="solo")

    deadline.wait_until(lambda: solo() == 1, SECONDS, "w1 answers")
    end = tmp_path / "end"
    make_producer(redis_server.url).send("patient", str(end))

    ups: list[float | None] = []
    wedges: set[float | None] = set()

    def up() -> float | None:
        samples = sentinel.scrape()
        ups.append(daemon.total(samples, "celery_worker_up", hostname="w1@fleet"))
        wedges.add(daemon.total(samples, "celery_worker_wedged", hostname="w1@fleet"))
        return ups[-1]

    deadline.wait_until(lambda: up() is None, SECONDS, "w1 fell silent")
    end.touch()
    deadline.wait_until(lambda: up() == 1, SECONDS, "w1 is up again")
    assert set(ups) == {1.0, None}
    assert wedges <= {0.0, None}
    assert daemon.total(sentinel.scrape(), "celery_worker_lost_total") == 0


def _up(sentinel: daemon.Daemon) -> float | None:
    return daemon.total(sentinel.scrape(), "celery_worker_up", hostname="w1@fleet")


def _answers(sentinel: daemon.Daemon) -> bool:
    """Return whether the worker has answered the last poll.

    That it is not wedged does not say so: a worker that starts slowly misses its first questions,
    and of one that has never answered nobody says that it has stopped.
    """
    return daemon.total(sentinel.scrape(), "celery_worker_responding", hostname="w1@fleet") == 1


def _wedged(sentinel: daemon.Daemon, reason: str) -> float | None:
    return daemon.total(
        sentinel.scrape(), "celery_worker_wedged", hostname="w1@fleet", reason=reason
    )


def _children(parent: worker.CeleryWorker) -> list[int]:
    """Return the processes of the pool."""
    return [pid for pid in process.group_states(parent.pid) if pid != parent.pid]
