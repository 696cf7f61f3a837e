"""Slots are what a worker can run, and what it runs, while its pool grows and shrinks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from celery import Celery

from tests.servers import daemon, deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import redis, server
    from tests.servers.worker import Pool

SECONDS = 60.0
LONG = 300.0  # seconds a task takes; none of them ends within a test


@pytest.mark.parametrize("pool", ["prefork", "gevent"])
def test_an_autoscaled_worker_has_as_many_slots_as_it_may_have(
    pool: Pool,
    broker: server.Broker,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Idle it is 8 slots on a pool of 1; under load all 8 are busy, and none more."""
    sentinel = ask_often(broker.url)
    start_worker(broker.url, pool=pool, extra_args=["--autoscale=8,1"])
    _until(sentinel, concurrency=8, pool_size=1, active=0, slots=8, busy=0)
    sending = make_producer(broker.url)
    for _ in range(8 if pool == "prefork" else 6):
        sending.send("slow", LONG)
    if pool == "prefork":
        _until(sentinel, concurrency=8, pool_size=8, active=8, slots=8, busy=8)
        assert "8 / 8" in sentinel.get("/").text
    else:  # Celery grows it as tasks come in
        _until(sentinel, concurrency=8, slots=8)
        deadline.wait_until(lambda: _grown_with_its_tasks(sentinel), SECONDS, "the pool grows")


def test_a_pool_that_grows_and_shrinks_changes_its_slots(
    redis_server: redis.RedisServer,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """pool_grow makes 2 slots 5, pool_shrink makes them 1."""
    sentinel = ask_often(redis_server.url)
    start_worker(redis_server.url, concurrency=2)
    _until(sentinel, concurrency=2, pool_size=2, slots=2)
    control = Celery(broker=redis_server.url).control
    control.pool_grow(3)
    _until(sentinel, concurrency=5, pool_size=5, slots=5, busy=0)
    sending = make_producer(redis_server.url)
    for _ in range(5):
        sending.send("slow", LONG)
    _until(sentinel, concurrency=5, pool_size=5, active=5, slots=5, busy=5)


def test_a_pool_that_was_shrunk_has_fewer_slots(
    redis_server: redis.RedisServer,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
) -> None:
    """pool_shrink takes idle processes away; autoscale moves the upper end of another worker."""
    sentinel = ask_often(redis_server.url)
    start_worker(redis_server.url, concurrency=4)
    start_worker(redis_server.url, name="w2", queues=("other",), extra_args=["--autoscale=8,1"])
    _until(sentinel, concurrency=4, pool_size=4, slots=4)
    control = Celery(broker=redis_server.url).control
    control.pool_shrink(3, destination=["w1@fleet"])
    _until(sentinel, concurrency=1, pool_size=1, slots=1)
    control.autoscale(3, 2, destination=["w2@fleet"])
    _until(sentinel, "w2@fleet", "other", concurrency=3, pool_size=2, slots=3)


def test_the_slots_of_a_worker_without_heartbeats_are_busy_too(
    redis_server: redis.RedisServer,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """It says no number of active tasks, but its answers name them."""
    sentinel = ask_often(redis_server.url)
    quiet = ["--without-heartbeat", "--without-gossip", "--without-mingle"]
    start_worker(redis_server.url, concurrency=2, events=False, extra_args=quiet)
    sending = make_producer(redis_server.url)
    sending.send("slow", LONG)
    _until(sentinel, concurrency=2, slots=2, busy=1)


def _until(
    sentinel: daemon.Daemon, hostname: str = "w1@fleet", queue: str = "celery", **wanted: float
) -> None:
    """Wait until a worker and its queue show these figures."""

    def told() -> bool:
        shown = _shown(sentinel, hostname, queue)
        assert (shown["busy"] or 0) <= (shown["slots"] or 0), "more busy than slots"
        return {name: shown[name] for name in wanted} == wanted

    deadline.wait_until(told, SECONDS, f"{hostname} shows {wanted}")


def _shown(sentinel: daemon.Daemon, hostname: str, queue: str) -> dict[str, float | None]:
    samples = sentinel.scrape()
    of_worker = {
        "concurrency": "celery_worker_concurrency",
        "pool_size": "celery_worker_pool_size",
        "active": "celery_worker_tasks_active",
    }
    return {
        **{key: daemon.total(samples, name, hostname=hostname) for key, name in of_worker.items()},
        "slots": daemon.total(samples, "celery_queue_worker_slots", queue_name=queue),
        "busy": daemon.total(samples, "celery_queue_worker_slots_busy", queue_name=queue),
    }


def _grown_with_its_tasks(sentinel: daemon.Daemon) -> bool:
    shown = _shown(sentinel, "w1@fleet", "celery")
    size, active, busy = shown["pool_size"], shown["active"], shown["busy"]
    return size is not None and active is not None and 1 < active <= size <= 8 and busy == active
