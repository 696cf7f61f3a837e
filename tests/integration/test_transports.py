"""Events arrive over every kind of connection that Celery can use for them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import celery
import pytest

from celery_sentinel.brokers import registry
from celery_sentinel.config import schema
from celery_sentinel.events import decoding
from tests.servers import daemon, deadline

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable
    from pathlib import Path

    from tests import conftest
    from tests.servers import certificates, rabbitmq, redis, redis_sentinel

TASKS = 5

Options = dict[str, Any]


@pytest.mark.parametrize(
    "options",
    [
        {"global_keyprefix": "shop:"},
        {"fanout_prefix": False},
        {"fanout_prefix": "/{db}-shop."},
        {"fanout_patterns": False},
        {"body_encoding": None},
    ],
    ids=["keyprefix", "no-prefix", "prefix", "no-patterns", "plain-body"],
)
def test_redis_transport_options(
    options: Options,
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Options that change where and how kombu publishes are followed, on database 3."""
    url = redis_server.url_for(3)
    sentinel = watch(url, config=_config(broker={"transport_options": options}))
    settings = {"broker_transport_options": options}
    start_worker(url, config=settings)

    _work(sentinel, make_producer(url, config=settings))


def test_another_event_exchange(
    broker: redis.RedisServer | rabbitmq.RabbitServer,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Celery's event_exchange is followed, glob characters in it and all."""
    exchange = "my[events]*"
    sentinel = watch(broker.url, config=_config(events={"exchange": exchange}))
    start_worker(broker.url, config={"event_exchange": exchange})

    _work(sentinel, make_producer(broker.url, config={"event_exchange": exchange}))


def test_the_wrong_event_exchange_shows(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
) -> None:
    """Workers answer and are never heard: what CelerySentinelDeaf needs to see is there."""
    config = _config(events={"exchange": "elsewhere"}, polling={"workers": "2s"})
    sentinel = watch(redis_server.url, config=config)
    start_worker(redis_server.url)
    deadline.wait_until(
        lambda: daemon.total(sentinel.scrape(), "celery_worker_tasks_reserved") == 0,
        40,
        "the worker has answered",
    )
    samples = sentinel.scrape()
    assert daemon.total(samples, "celery_broker_up") == 1
    assert daemon.total(samples, "celery_sentinel_last_event_timestamp_seconds") is None


def test_a_unix_socket(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """redis+socket:// works, with the database in virtual_host."""
    url = f"{redis_server.socket_url}?virtual_host=2"
    sentinel = watch(url)
    start_worker(redis_server.url_for(2))

    _work(sentinel, make_producer(redis_server.url_for(2)))


def test_redis_over_tls(
    start_redis: conftest.StartRedis,
    tls: certificates.Certificates,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """rediss:// with a private authority, named in broker.tls."""
    server = start_redis(certificates=tls)
    sentinel = watch(server.tls_url, config=_config(broker={"tls": {"ca_file": str(tls.ca_file)}}))
    start_worker(server.url)

    _work(sentinel, make_producer(server.url))
    _wait_answered(sentinel)


def test_rabbitmq_over_tls(
    rabbitmq_server: rabbitmq.RabbitServer,
    tls: certificates.Certificates,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """amqps:// with a private authority, named in broker.tls."""
    server = rabbitmq_server
    sentinel = watch(server.tls_url, config=_config(broker={"tls": {"ca_file": str(tls.ca_file)}}))
    start_worker(server.url)

    _work(sentinel, make_producer(server.url))
    _wait_answered(sentinel)


@pytest.mark.parametrize("kind", ["redis", "rabbitmq"])
def test_an_unknown_authority_is_refused(
    kind: str,
    request: pytest.FixtureRequest,
    start_redis: conftest.StartRedis,
    tls: certificates.Certificates,
    start_daemon: conftest.StartDaemon,
) -> None:
    """Without an authority that vouches for it no server is trusted."""
    if kind == "redis":
        url = start_redis(certificates=tls).tls_url
    else:
        url = request.getfixturevalue("rabbitmq_server").tls_url
    sentinel = start_daemon(url)

    deadline.wait_until(lambda: "broker_unreachable" in sentinel.stderr_text, 60, "it is refused")
    assert "certificate verify failed" in sentinel.stderr_text
    assert daemon.total(sentinel.scrape(), "celery_broker_up") == 0
    poll = "celery_sentinel_poll_success"
    deadline.wait_until(
        lambda: daemon.total(sentinel.scrape(), poll, poller="workers") == 0, 60, "nor asked"
    )
    assert daemon.total(sentinel.scrape(), poll) == 0


def test_redis_sentinel(
    redis_behind_sentinel: redis_sentinel.RedisSentinel,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """sentinel:// finds the master; a message kombu publishes twice is counted once."""
    options = {**redis_behind_sentinel.transport_options, "sentinel_fanout_compat": True}
    url = redis_behind_sentinel.url
    sentinel = watch(url, config=_config(broker={"transport_options": options}))
    settings = {"broker_transport_options": options}
    start_worker(url, config=settings)

    _work(sentinel, make_producer(url, config=settings))
    _wait_answered(sentinel)


def test_the_next_url_of_a_list_is_taken(
    broker: redis.RedisServer | rabbitmq.RabbitServer,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Of several URLs for failover the first that answers is used."""
    scheme, rest = broker.url.split("://")
    dead = f"{scheme}://127.0.0.1:1/{rest.rpartition('/')[2]}"
    sentinel = watch(f"{dead};{broker.url}")
    start_worker(broker.url)

    _work(sentinel, make_producer(broker.url))


def test_filesystem(
    tmp_path: Path,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """filesystem:// stands for the transports that have no fast path of their own."""
    folders = {name: tmp_path / name for name in ("in", "processed", "control")}
    for folder in folders.values():
        folder.mkdir()
    options = {
        "data_folder_in": str(folders["in"]),
        "data_folder_out": str(folders["in"]),
        "processed_folder": str(folders["processed"]),
        "control_folder": str(folders["control"]),
    }
    sentinel = watch(
        "filesystem://",
        config=_config(broker={"transport_options": options}, events={"enable": False}),
    )
    settings = {"broker_transport_options": options}
    start_worker("filesystem://", config=settings, pool="solo", extra_args=("--without-mingle",))

    _work(sentinel, make_producer("filesystem://", config=settings))


def test_memory(closing: contextlib.ExitStack) -> None:
    """memory:// reaches no other process; within one its events are read like all others."""
    config = schema.Config(broker=schema.Broker(url="memory://"))
    stream = registry.event_stream(config, decoding.Decoder())
    closing.callback(stream.close)
    stream.connect()
    app = closing.enter_context(celery.Celery("here", broker="memory://", set_as_current=False))
    with app.connection_for_write() as connection, app.events.Dispatcher(connection) as sender:
        sender.send("task-received", uuid="1", name="quick")
        sender.send("worker-heartbeat", freq=2.0, active=0, processed=1)

    found: list[str] = []

    def both() -> bool:
        found.extend(event.type for event in stream.read())
        return len(found) == 2

    deadline.wait_until(both, 60, "both events are read")
    assert found == ["task-received", "worker-heartbeat"]


def _wait_answered(sentinel: daemon.Daemon) -> None:
    """Wait until a worker has answered over remote control, which has a connection of its own.

    One that was too late for the first question is asked again half a minute later.
    """
    deadline.wait_until(
        lambda: daemon.total(sentinel.scrape(), "celery_worker_responding") == 1, 90, "it answers"
    )


def _config(**sections: Options) -> str:
    """Return a config file that shows new counters at once; JSON is YAML."""
    return json.dumps({"metrics": {"zero_born_hold": "0s"}, **sections})


def _work(sentinel: daemon.Daemon, sending: Any) -> None:
    for _ in range(TASKS):
        sending.send("quick")

    def counts() -> list[float | None]:
        samples = sentinel.scrape()
        return [
            daemon.total(samples, f"celery_task_{outcome}_total", name="quick")
            for outcome in ("sent", "received", "started", "succeeded")
        ]

    deadline.wait_until(lambda: counts() == [TASKS] * 4, 90, "each task is counted once")
