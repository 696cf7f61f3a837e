"""Fixtures that start real servers, each in a directory of its own, and end them all."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests.servers import (
    certificates,
    daemon,
    producer,
    promtool,
    rabbitmq,
    redis,
    redis_sentinel,
    server,
    worker,
)

# The options of each are those of the class; servers are returned when they answer.
Directories = Callable[[str], Path]
StartRedis = Callable[..., redis.RedisServer]
StartWorker = Callable[..., worker.CeleryWorker]
StartDaemon = Callable[..., daemon.Daemon]
MakeProducer = Callable[..., producer.Producer]

# The same examples in every run, for as long as they take: a gate that draws others each time, and
# by the clock, fails now and then for no change. --hypothesis-profile=default draws them.
hypothesis.settings.load_profile("ci")

IMMEDIATE = "metrics: {zero_born_hold: 0s}\n"


# First, so that the groups are there when xdist reads them.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests on RabbitMQ together, by thirds: three xdist workers boot it, once each.

    Tests in another group, and those with ``own_broker``, start a node of their own. The soak's,
    the longest, come first, so that none of them is what all others wait for at the end.
    """
    items.sort(key=lambda item: "soak" not in item.path.parts)
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if item.get_closest_marker("xdist_group") or "own_broker" in fixtures:
            continue
        chosen = getattr(item, "callspec", None)
        broker_chosen = chosen is not None and "rabbitmq" in chosen.params.values()
        if broker_chosen or "rabbitmq_node" in fixtures:
            third = (zlib.crc32(item.path.name.encode()) >> 12) % 3  # bits that part them evenly
            item.add_marker(pytest.mark.xdist_group(f"rabbitmq-{third}"))


@pytest.fixture
def new_directory(tmp_path_factory: pytest.TempPathFactory) -> Directories:
    """Make directories with short paths: a unix socket's may not exceed 107 characters."""
    return tmp_path_factory.mktemp


@pytest.fixture
def closing() -> Iterator[contextlib.ExitStack]:
    """Close what a test opened, in reverse order, when it is over."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> certificates.Certificates:
    """Issue the certificates that servers present; clients need ``tls.ca_file``."""
    return certificates.Certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def start_redis(new_directory: Directories, closing: contextlib.ExitStack) -> StartRedis:
    """Start any number of Redis servers."""

    def start(**options: Any) -> redis.RedisServer:
        return closing.enter_context(redis.RedisServer(new_directory("redis"), **options))

    return start


@pytest.fixture
def redis_server(start_redis: StartRedis) -> redis.RedisServer:
    """Start a Redis server for this test alone."""
    return start_redis()


@pytest.fixture
def redis_behind_sentinel(
    redis_server: redis.RedisServer, new_directory: Directories, closing: contextlib.ExitStack
) -> redis_sentinel.RedisSentinel:
    """Start a Sentinel in front of ``redis_server``."""
    return closing.enter_context(
        redis_sentinel.RedisSentinel(new_directory("sentinel"), redis_server)
    )


@pytest.fixture(scope="session")
def rabbitmq_node(
    tmp_path_factory: pytest.TempPathFactory, tls: certificates.Certificates
) -> Iterator[rabbitmq.RabbitServer]:
    """Start the RabbitMQ node of this session; tests use ``rabbitmq_server``."""
    directory = tmp_path_factory.mktemp("rabbitmq")
    with rabbitmq.RabbitServer(directory, certificates=tls) as node:
        yield node


@pytest.fixture
def rabbitmq_server(rabbitmq_node: rabbitmq.RabbitServer) -> Iterator[rabbitmq.RabbitServer]:
    """Lend a running RabbitMQ with an empty virtual host; a test may stop, kill or pause it."""
    if not rabbitmq_node.running:
        rabbitmq_node.start()
    rabbitmq_node.fresh_vhost()
    yield rabbitmq_node
    rabbitmq_node.resume()


@pytest.fixture(params=["redis", "rabbitmq"])
def broker(request: pytest.FixtureRequest) -> server.Broker:
    """Run the test once on each broker."""
    chosen: server.Broker = request.getfixturevalue(f"{request.param}_server")
    return chosen


@pytest.fixture
def start_worker(new_directory: Directories, closing: contextlib.ExitStack) -> StartWorker:
    """Start any number of Celery workers; the ``truth`` of each knows what it did."""

    def start(broker_url: str, **options: Any) -> worker.CeleryWorker:
        celery_worker = worker.CeleryWorker(new_directory("worker"), broker_url, **options)
        return closing.enter_context(celery_worker)

    return start


@pytest.fixture
def start_daemon(new_directory: Directories, closing: contextlib.ExitStack) -> StartDaemon:
    """Start any number of celery-sentinel daemons; ``config`` is the text of a config file.

    By default new counters show their value at once, so that tests need not wait for it.
    """

    def start(broker_url: str | None, *, config: str = IMMEDIATE, **options: Any) -> daemon.Daemon:
        directory = new_directory("daemon")
        file = directory / "config.yml"
        file.write_text(config)
        options["args"] = ["--config.file", str(file), *options.get("args", ())]
        return closing.enter_context(daemon.Daemon(directory, broker_url, **options))

    return start


@pytest.fixture
def make_producer(closing: contextlib.ExitStack) -> MakeProducer:
    """Connect any number of producers."""

    def make(broker_url: str, **options: Any) -> producer.Producer:
        return closing.enter_context(producer.Producer(broker_url, **options))

    return make


@pytest.fixture(scope="session")
def prom_tool() -> promtool.PromTool:
    """Find Prometheus' checker of expositions."""
    return promtool.PromTool()
