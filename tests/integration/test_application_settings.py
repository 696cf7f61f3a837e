"""What docs/application-settings.md says of settings of the application that ours must follow.

Others are tried elsewhere: another database, prefix or exchange in health/test_elsewhere.py, names
of lists in queues/test_redis_depth.py, the control exchange in workers/test_control_exchange.py,
servers and TLS in health/test_other_servers.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.health import told
from tests.servers import daemon, deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import redis


@pytest.fixture
def watching(start_daemon: conftest.StartDaemon) -> Callable[..., daemon.Daemon]:
    """Start a daemon that polls often."""

    def start(url: str, **sections: dict[str, Any]) -> daemon.Daemon:
        return start_daemon(url, config=told.config(**sections))

    return start


def up(sentinel: daemon.Daemon) -> None:
    """Wait until a worker is heard."""
    told.eventually(lambda: told.metric(sentinel, "celery_worker_up") == 1, "it is heard")


def test_read_and_write_urls(
    redis_server: redis.RedisServer,
    start_worker: conftest.StartWorker,
    watching: Callable[..., daemon.Daemon],
) -> None:
    """Workers publish their events where they write: that is the URL to give."""
    reads, writes = redis_server.url_for(1), redis_server.url_for(2)
    start_worker(reads, config={"broker_read_url": reads, "broker_write_url": writes})
    up(watching(writes))
    found = told.notes_of
    wrong = watching(reads)
    told.eventually(lambda: "/2.celeryev" in found(wrong), "it is said where the events are")


def test_no_remote_control(
    redis_server: redis.RedisServer,
    start_worker: conftest.StartWorker,
    watching: Callable[..., daemon.Daemon],
) -> None:
    """Nothing that workers are asked is known, and the page says so."""
    start_worker(redis_server.url, config={"worker_enable_remote_control": False})
    sentinel = watching(redis_server.url)
    up(sentinel)
    told.eventually(lambda: "remote control" in told.notes_of(sentinel), "a note says it")
    assert told.metric(sentinel, "celery_worker_responding") == 0
    assert told.metric(sentinel, "celery_worker_wedged") in {0, None}


def test_no_task_events(
    redis_server: redis.RedisServer,
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
    watching: Callable[..., daemon.Daemon],
) -> None:
    """Without -E and without asking for them no task is counted; a note names the worker."""
    start_worker(redis_server.url, events=False)
    sentinel = watching(redis_server.url, events={"enable": False})
    up(sentinel)
    producer = make_producer(redis_server.url)
    producer.send("quick", 1)
    told.eventually(
        lambda: told.metric(sentinel, "celery_worker_events_enabled") == 0, "they are off"
    )
    assert "task events" in told.notes_of(sentinel)
    asked = watching(redis_server.url)

    def counted() -> bool:
        producer.send("quick", 1)
        return told.metric(asked, "celery_worker_events_enabled") == 1

    told.eventually(counted, "they are on")


def test_another_separator(
    redis_server: redis.RedisServer,
    make_producer: conftest.MakeProducer,
    watching: Callable[..., daemon.Daemon],
) -> None:
    """Forgotten, only messages without a priority are counted."""
    options = {"broker_transport_options": {"sep": ":"}}
    producer = make_producer(redis_server.url, config=options)
    producer.send("quick", queue="shop", priority=9)
    producer.send("quick", queue="shop")
    queues = {"watch": ["shop"]}
    labels = {"queue_name": "shop"}
    forgotten = watching(redis_server.url, queues=queues)
    followed = watching(redis_server.url, queues=queues, broker={"transport_options": {"sep": ":"}})
    for sentinel, length in ((forgotten, 1), (followed, 2)):
        deadline.wait_until(
            lambda sentinel=sentinel, length=length: (
                told.metric(sentinel, "celery_queue_length", **labels) == length
            ),
            told.WITHIN,
            f"{length} are counted",
        )


def test_another_index_of_what_is_unacknowledged(
    redis_server: redis.RedisServer,
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
    watching: Callable[..., daemon.Daemon],
) -> None:
    """Forgotten, no message seems to be held by a worker."""
    options = {"unacked_index_key": "shop_unacked"}
    config = {"broker_transport_options": options}
    start_worker(redis_server.url, config=config)
    make_producer(redis_server.url, config=config).send("quick", 1, countdown=600)
    followed = watching(redis_server.url, broker={"transport_options": options})
    forgotten = watching(redis_server.url)
    for sentinel, held in ((followed, 1), (forgotten, 0)):
        deadline.wait_until(
            lambda sentinel=sentinel, held=held: (
                told.metric(sentinel, "celery_broker_unacked_messages") == held
            ),
            told.WITHIN,
            f"{held} seem to be held",
        )
