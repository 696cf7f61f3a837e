"""Three sentinels, a master and a replica: what a fail-over costs, and a user of the sentinels."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.integration.access import documented, parts
from tests.servers import daemon, deadline, redis_sentinel

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import redis

SENTINELS = 3
ELECTED_WITHIN = 120.0  # seconds; elections may be repeated on a busy machine
BACK_WITHIN = 60.0  # seconds from then on
HEARD_BEFORE = 15.0  # seconds; the gap runs from when something was heard for the last time
_OPTIONS = {"master_name": redis_sentinel.RedisSentinel.master_name}

_LEGACY = ("&/{db}.celeryev/*", "&/{db}.celeryev", "(&/{db}.celery.pidbox +publish)")


@pytest.fixture
def replica(start_redis: conftest.StartRedis, redis_server: redis.RedisServer) -> redis.RedisServer:
    """Start a replica of the master."""
    return start_redis(
        extra_args=("--replicaof", "127.0.0.1", str(redis_server.port)), name="replica"
    )


@pytest.fixture
def sentinels(
    redis_server: redis.RedisServer,
    replica: redis.RedisServer,  # noqa: ARG001 -- they find it through the master
    new_directory: conftest.Directories,
    closing: contextlib.ExitStack,
) -> list[redis_sentinel.RedisSentinel]:
    """Start the sentinels, which know of each other and of the replica."""
    started = [
        closing.enter_context(
            redis_sentinel.RedisSentinel(new_directory("sentinel"), redis_server, quorum=2)
        )
        for _ in range(SENTINELS)
    ]
    for one in started:
        deadline.wait_until(
            lambda one=one: (
                (one.state()["num-other-sentinels"], one.state()["num-slaves"])
                == (SENTINELS - 1, 1)
            ),
            90,
            "they know each other",
        )
    return started


def test_the_master_is_killed(
    redis_server: redis.RedisServer,
    replica: redis.RedisServer,
    sentinels: list[redis_sentinel.RedisSentinel],
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
) -> None:
    """The stream is back on the new master in time, the gap is counted, workers are asked again."""
    url = ";".join(one.url for one in sentinels)
    sentinel = watch(url, config=json.dumps({"broker": {"transport_options": _OPTIONS}}))
    start_worker(url, config={"broker_transport_options": _OPTIONS})
    _wait(sentinel, "celery_worker_up", 1)

    alive_at = time.monotonic()
    redis_server.kill()
    deadline.wait_until(
        lambda: {int(one.state()["port"]) for one in sentinels} == {replica.port},
        ELECTED_WITHIN,
        "the sentinels name the replica",
    )
    deadline.wait_until(
        lambda: "broker_reconnected" in sentinel.stderr_text, BACK_WITHIN, "it is connected again"
    )
    _wait(sentinel, "celery_broker_up", 1)

    samples = sentinel.scrape()
    gap = daemon.total(samples, "celery_sentinel_stream_gap_seconds_total")
    gaps = daemon.total(samples, "celery_sentinel_stream_gaps_total")
    assert gap is not None
    assert gaps is not None
    assert gaps >= 1
    assert 0 < gap < time.monotonic() - alive_at + HEARD_BEFORE
    with replica.client() as client:
        assert "celery-sentinel" in {one["name"] for one in client.client_list()}
    deadline.wait_until(
        lambda: (
            daemon.total(sentinel.scrape(), "celery_sentinel_poll_success", poller="queues") == 1
        ),
        60,
        "the new master is polled",
    )
    _wait(sentinel, "celery_worker_responding", 1)


def test_the_users_of_the_page(
    redis_server: redis.RedisServer,
    new_directory: conftest.Directories,
    closing: contextlib.ExitStack,
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """The least rights at sentinels and master suffice; without the one the refusal is told."""
    worker = start_worker(redis_server.url)
    make_producer(redis_server.url).send("quick", queue=parts.QUEUE)
    granted = documented.acl("redis-sentinel")
    one = closing.enter_context(
        redis_sentinel.RedisSentinel(
            new_directory("sentinel"), redis_server, config=["user " + " ".join(granted[2:])]
        )
    )
    with redis_server.client() as client:
        client.execute_command(*documented.acl(), *_LEGACY)
    login = {"username": documented.USER, "password": documented.PASSWORD}
    url = one.url.replace("://", f"://{documented.USER}:{documented.PASSWORD}@")
    options = {**_OPTIONS, "sentinel_kwargs": login}

    assert parts.Parts(url, transport_options=options).refusals(worker.hostname) == {}
    one.acl(*granted[:-1], "-@all")
    refused = parts.Parts(url, transport_options=options).refusals(worker.hostname)
    assert refused.keys() == set(parts.PARTS)
    assert all("ermission" in text for text in refused.values()), refused


def _wait(sentinel: daemon.Daemon, name: str, value: float) -> None:
    deadline.wait_until(
        lambda: daemon.total(sentinel.scrape(), name) == value, 120, f"{name} is {value}"
    )
