"""A Redis that refuses writes, or is full, or is no Redis for Celery, is told within a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import redis as client_library

from tests.integration.health import told

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests import conftest
    from tests.servers import daemon, redis

FULL = "3mb"
_POOR = "ACL SETUSER poor reset on >poor +ping +client|setname &* +psubscribe +subscribe"


@pytest.fixture
def watched(
    redis_server: redis.RedisServer, start_daemon: conftest.StartDaemon
) -> Callable[[], daemon.Daemon]:
    """Start a daemon on the Redis of the test, and see that all is well."""

    def start() -> daemon.Daemon:
        sentinel = start_daemon(redis_server.url, config=told.config())
        told.well(sentinel)
        return sentinel

    return start


def test_a_healthy_redis_tells_of_itself(
    redis_server: redis.RedisServer, watched: Callable[[], daemon.Daemon]
) -> None:
    """Version, policy, memory, clients and their limit; no limit of memory is no sample."""
    sentinel = watched()
    with redis_server.client() as client:
        info = client.info()
    found = told.broker_of(sentinel)["condition"]
    assert found["version"] == info["redis_version"]
    assert (found["product"], found["role"], found["mode"]) == ("redis", "master", "standalone")
    assert found["eviction_policy"] == "noeviction"
    assert found["memory_max_bytes"] is None
    assert found["clients_max"] == info["maxclients"]
    assert told.metric(sentinel, "celery_broker_memory_max_bytes") is None
    assert told.metric(sentinel, "celery_broker_evicted_keys_total") == 0
    used = told.metric(sentinel, "celery_broker_memory_used_bytes")
    assert used is not None
    assert 0.5 < used / info["used_memory"] < 2
    version = info["redis_version"]
    assert told.metric(sentinel, "celery_broker_info", version=version, role="master") == 1
    assert told.notes_of(sentinel) == ""
    with redis_server.client() as client:
        assert not client.exists("celery-sentinel.writable")
        assert client.keys("celery-sentinel.writable*") == []


def test_a_master_is_demoted_and_comes_back(
    redis_server: redis.RedisServer, watched: Callable[[], daemon.Daemon]
) -> None:
    """A replica that takes no writes is told while it is one, and its role with it."""
    sentinel = watched()
    with redis_server.client() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", "1")
        assert "replica" in told.unusable(sentinel, "read_only")  # by whichever poll is first
        assert told.broker_of(sentinel)["condition"]["role"] == "replica"
        assert "Point broker.url" in told.notes_of(sentinel)
        client.execute_command("REPLICAOF", "NO", "ONE")
    told.well(sentinel)


def test_a_replica_from_the_start(
    redis_server: redis.RedisServer,
    start_redis: conftest.StartRedis,
    start_daemon: conftest.StartDaemon,
) -> None:
    """The same where the daemon has never seen it otherwise."""
    replica = start_redis(
        extra_args=("--replicaof", "127.0.0.1", str(redis_server.port)), name="replica"
    )
    told.unusable(start_daemon(replica.url, config=told.config()), "read_only")


def test_memory_is_full(
    redis_server: redis.RedisServer, watched: Callable[[], daemon.Daemon]
) -> None:
    """At maxmemory with noeviction no task can be sent; the figures say how full it is."""
    sentinel = watched()
    with redis_server.client() as client:
        client.config_set("maxmemory", FULL)
        with pytest.raises(client_library.ResponseError, match="maxmemory"):
            _fill(client)
        told.unusable(sentinel, "out_of_memory")
        condition = told.broker_of(sentinel)["condition"]
        assert condition["memory_max_bytes"] == 3 * 1024 * 1024
        assert condition["memory_used_bytes"] > 2.5 * 1024 * 1024
        assert "Raise maxmemory" in told.notes_of(sentinel)
        client.delete("fill")
    told.well(sentinel)


def _fill(client: client_library.Redis) -> None:
    while True:
        client.rpush("fill", "x" * 10_000)


def test_snapshots_fail(
    start_redis: conftest.StartRedis, start_daemon: conftest.StartDaemon, tmp_path: Path
) -> None:
    """MISCONF refuses writes alone; that it is so is found out by asking."""
    home = tmp_path / "home"
    home.mkdir()
    server = start_redis(extra_args=("--dir", str(home), "--save", "3600 1"))
    sentinel = start_daemon(server.url, config=told.config())
    told.well(sentinel)
    home.rmdir()
    with server.client() as client:
        client.set("changed", 1)
        client.bgsave()
        assert "MISCONF" in told.unusable(sentinel, "misconfigured")
        client.config_set("stop-writes-on-bgsave-error", "no")
        told.well(sentinel)
        assert "cannot save its data" in told.notes_of(sentinel)


def test_replicas_lack(
    redis_server: redis.RedisServer, watched: Callable[[], daemon.Daemon]
) -> None:
    """min-replicas-to-write refuses writes as well, and INFO does not say so."""
    sentinel = watched()
    with redis_server.client() as client:
        client.config_set("min-replicas-to-write", 1)
        assert "replicas" in told.unusable(sentinel, "read_only")
        client.config_set("min-replicas-to-write", 0)
    told.well(sentinel)


def test_cluster_mode(start_redis: conftest.StartRedis, start_daemon: conftest.StartDaemon) -> None:
    """Celery does not work on a Redis Cluster."""
    server = start_redis(extra_args=("--cluster-enabled", "yes"))
    sentinel = start_daemon(server.url, config=told.config())
    told.unusable(sentinel, "cluster")
    with server.client() as client:
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    told.unusable(sentinel, "cluster")
    assert told.broker_of(sentinel)["condition"]["mode"] == "cluster"


def test_keys_are_thrown_away(
    redis_server: redis.RedisServer, watched: Callable[[], daemon.Daemon]
) -> None:
    """A policy that evicts queues is told; it is no trouble as long as writes are taken."""
    sentinel = watched()
    with redis_server.client() as client:
        client.config_set("maxmemory", FULL)
        client.config_set("maxmemory-policy", "allkeys-lru")
        for number in range(500):
            client.set(f"fill{number}", "x" * 10_000)
        thrown = client.info()["evicted_keys"]
        assert thrown > 0
        told.eventually(
            lambda: (told.metric(sentinel, "celery_broker_evicted_keys_total") or 0) >= thrown,
            "evictions are counted",
        )
        assert "throws away messages" in told.notes_of(sentinel)
    assert sentinel.get("/-/ready").status_code == 200


def test_wrong_password(
    start_redis: conftest.StartRedis, start_daemon: conftest.StartDaemon
) -> None:
    """What the broker refuses at the connection has a reason too, and counts by it."""
    server = start_redis(password="right")  # noqa: S106 -- of one test
    sentinel = start_daemon(server.url.replace("right", "wrong"), config=told.config())
    told.trouble(sentinel, "authentication")
    told.eventually(
        lambda: (
            (
                told.metric(
                    sentinel,
                    "celery_sentinel_poll_failures_total",
                    poller="queues",
                    reason="authentication",
                )
                or 0
            )
            > 0
        ),
        "polls that failed are counted by reason",
    )


def test_no_more_clients(
    start_redis: conftest.StartRedis, start_daemon: conftest.StartDaemon
) -> None:
    """A limit on clients is called that."""
    server = start_redis(extra_args=("--maxclients", "1"))
    with server.client() as client:
        client.ping()
        told.trouble(start_daemon(server.url, config=told.config()), "limit")


def test_a_user_without_rights(
    redis_server: redis.RedisServer, start_daemon: conftest.StartDaemon
) -> None:
    """A right that lacks is told with where to read of it; INFO is asked once, not for ever."""
    with redis_server.client() as client:
        client.execute_command(*_POOR.split())
        url = redis_server.url.replace("redis://", "redis://poor:poor@")
        sentinel = start_daemon(url, config=told.config())
        told.trouble(sentinel, "no_rights")
        assert "broker-access.md" in told.notes_of(sentinel)
        assert told.metric(sentinel, "celery_broker_writable") is None
        assert told.broker_of(sentinel)["condition"] is None or (
            told.broker_of(sentinel)["condition"]["version"] is None
        )


def test_a_key_of_another_type(
    redis_server: redis.RedisServer, start_daemon: conftest.StartDaemon
) -> None:
    """A queue at whose key is no list is told, not only shown as unknown."""
    with redis_server.client() as client:
        client.set("shop", "no list")
    sentinel = start_daemon(redis_server.url, config=told.config(queues={"watch": ["shop"]}))
    told.eventually(
        lambda: told.metric(sentinel, "celery_queue_unreadable", queue_name="shop") == 1,
        "the queue is told to be unreadable",
    )
    assert "Queue shop cannot be counted" in told.notes_of(sentinel)
    (queue,) = sentinel.get("/api/v1/status").json()["queues"]
    assert queue["foreign"] == "a key of another type than a list"
    assert told.metric(sentinel, "celery_queue_length", queue_name="shop") is None
    with redis_server.client() as client:
        client.delete("shop")
    told.eventually(
        lambda: told.metric(sentinel, "celery_queue_length", queue_name="shop") == 0,
        "it is a queue again",
    )
    assert told.metric(sentinel, "celery_queue_unreadable", queue_name="shop") is None
