"""What the daemon counts is what the application did, to the task."""

from __future__ import annotations

import datetime as dt
import time
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.integration import task_mix
from tests.servers import daemon, deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import redis, server

SENT_BY_WORKERS = {"task_send_sent_event": True}  # for the retries, which the worker sends


def test_every_outcome_is_counted_to_the_task(
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """On Redis and RabbitMQ all seven counters equal what really happened."""
    sentinel = watch(broker.url)
    working = start_worker(broker.url, config=SENT_BY_WORKERS)
    sending = make_producer(broker.url)

    task_mix.send(sending)
    task_mix.revoke_one(sending)
    task_mix.wait_until_done(working, ended=sending.sent.total())

    expected = task_mix.expected(sending, working)
    _wait_counted(sentinel, expected)
    samples = sentinel.scrape()
    assert daemon.total(samples, "celery_sentinel_caught_failures_total") in {None, 0}
    assert daemon.total(samples, "celery_sentinel_events_missed_total") in {None, 0}


@pytest.mark.parametrize("pool", ["threads", "solo", "gevent"])
def test_pools_other_than_prefork_are_counted_to_the_task(
    pool: str,
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Each pool batches its events in its own way; none is lost in any."""
    sentinel = watch(redis_server.url)
    working = start_worker(redis_server.url, pool=pool, config=SENT_BY_WORKERS)
    sending = make_producer(redis_server.url)

    task_mix.send(sending, quick=30)
    task_mix.wait_until_done(working, ended=sending.sent.total())

    _wait_counted(sentinel, task_mix.expected(sending, working))


def test_expired_and_terminated_tasks_are_told_apart(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Revoked tasks carry the reason: expired, terminated while running, or plainly revoked."""
    sentinel = watch(redis_server.url)
    working = start_worker(redis_server.url)
    sending = make_producer(redis_server.url)

    sending.send("quick", expires=dt.datetime.now(dt.UTC) - dt.timedelta(hours=1))
    unwanted = str(uuid.uuid4())
    # The worker knows before the task comes: a task with an eta could run before it reads of it.
    assert sending.app.control.revoke(
        unwanted, reply=True, destination=[working.hostname], timeout=60
    )
    sending.send("quick", task_id=unwanted)
    long = sending.send("slow", 60.0)
    deadline.wait_until(lambda: _in_flight(sentinel, "slow"), 60, "the long task runs")
    sending.revoke(long.id, terminate=True)

    want = {"expired": 1, "terminated": 1, "revoked": 1}
    deadline.wait_until(lambda: _revoked(sentinel) == want, 60, f"revoked are {want}")
    assert not _in_flight(sentinel, "slow")


def test_failures_carry_class_and_category(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """A failed task is filed under the class of its exception and what heals it."""
    sentinel = watch(redis_server.url)
    start_worker(redis_server.url)
    sending = make_producer(redis_server.url)

    for kind in ("value", "connection", "timeout"):
        sending.send("failing", kind)
    sending.send("dying")
    sending.send_unregistered("nobody.knows")

    want = {
        ("failing", "ValueError", "code"),
        ("failing", "ConnectionError", "network"),
        ("failing", "TimeoutError", "network"),
        ("dying", "WorkerLostError", "resource"),
        ("nobody.knows", "NotRegistered", "unregistered"),
    }
    deadline.wait_until(lambda: len(_failures(sentinel)) >= len(want), 60, "all have failed")
    assert _failures(sentinel) == want


def test_waits_and_runtimes_are_observed(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """A task of half a second is seen to run so long; an eta does not count as waiting."""
    sentinel = watch(redis_server.url)
    start_worker(redis_server.url)
    sending = make_producer(redis_server.url)

    before = time.time()
    sending.send("slow", 0.5, countdown=1.5)

    samples = deadline.wait_until(
        lambda: _with(sentinel, "celery_task_runtime_seconds_count", name="slow"), 60, "slow ran"
    )
    runtime = daemon.total(samples, "celery_task_runtime_seconds_sum", name="slow")
    wait = daemon.total(samples, "celery_task_queue_wait_seconds_sum", name="slow")
    assert runtime is not None
    assert wait is not None
    since_eta = time.time() - before - 1.5
    assert 0.5 <= runtime < since_eta
    assert wait < since_eta - 0.5


def test_a_task_under_way_shows_since_when(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """While it runs the start of the oldest task is exposed, and it is in flight; then neither."""
    sentinel = watch(redis_server.url)
    start_worker(redis_server.url)
    sending = make_producer(redis_server.url)
    task = sending.send("slow", 600.0)

    metric = "celery_task_oldest_started_timestamp_seconds"
    deadline.wait_until(lambda: _with(sentinel, metric, name="slow"), 60, "slow runs")
    assert _in_flight(sentinel, "slow") == 1
    sending.revoke(task.id, terminate=True)
    deadline.wait_until(
        lambda: not _with(sentinel, metric, name="slow"), 60, "the start is gone with the task"
    )


def _wait_counted(sentinel: daemon.Daemon, expected: dict[str, int]) -> None:
    seen: dict[str, int] = {}

    def equal() -> bool:
        seen.update(task_mix.all_counted(sentinel.scrape()))
        return seen == expected

    try:
        deadline.wait_until(equal, 60, "the counts equal the truth")
    except TimeoutError:
        assert seen == expected


def _failures(sentinel: daemon.Daemon) -> set[tuple[str, str, str]]:
    found = set()
    for (name, labels), value in sentinel.scrape().items():
        if name == "celery_task_failed_total" and value:
            pairs = dict(labels)
            found.add((pairs["name"], pairs["exception"], pairs["category"]))
    return found


def _revoked(sentinel: daemon.Daemon) -> dict[str, float]:
    return {
        dict(labels)["reason"]: value
        for (name, labels), value in sentinel.scrape().items()
        if name == "celery_task_revoked_total"
    }


def _in_flight(sentinel: daemon.Daemon, name: str) -> float | None:
    samples = sentinel.scrape()
    return daemon.total(samples, "celery_tasks_in_flight", name=name, state="started")


def _with(sentinel: daemon.Daemon, metric: str, **labels: str) -> daemon.Samples | None:
    samples = sentinel.scrape()
    return samples if daemon.total(samples, metric, **labels) else None
