"""Who watches the wrong place is told so within a minute of the start, and only then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.health import told
from tests.servers import deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import daemon, redis

UNHEARD = "No worker has been heard yet."


@pytest.fixture
def noted(start_daemon: conftest.StartDaemon) -> Callable[..., str]:
    """Start a daemon; return its notes as soon as one says that Celery is elsewhere."""

    def start(url: str, **sections: dict[str, Any]) -> str:
        sentinel = start_daemon(url, config=told.config(**sections))
        return deadline.wait_until(
            lambda: (found := told.notes_of(sentinel)) and UNHEARD in found and found,
            told.WITHIN,
            "a note says where Celery is",
        )

    return start


def test_another_database(
    redis_server: redis.RedisServer,
    start_worker: conftest.StartWorker,
    noted: Callable[..., str],
    start_daemon: conftest.StartDaemon,
) -> None:
    """The right number is named by the keys there, and by the channel of the heartbeats."""
    worker = start_worker(redis_server.url_for(2))
    found = noted(redis_server.url_for(5))
    assert "Database 2 has Celery's keys, and this daemon watches database 5" in found
    assert "/2.celeryev/worker.heartbeat" in found

    # Keys of before are evidence as well, where nobody works any more.
    worker.stop()
    with redis_server.client(2) as client:
        client.sadd("_kombu.binding.celery", "celery\x06\x16\x06\x16celery")
    found = noted(redis_server.url_for(6))
    assert "Database 2 has Celery's keys, and this daemon watches database 6" in found
    assert "heartbeats" not in found

    # Where all is well nothing is said.
    start_worker(redis_server.url_for(3), name="w2")
    sentinel = start_daemon(redis_server.url_for(3), config=told.config())
    _heard(sentinel)
    assert UNHEARD not in told.notes_of(sentinel)


@pytest.mark.parametrize(
    ("application", "expected"),
    [
        ({"broker_transport_options": {"global_keyprefix": "shop:"}}, "have the prefix 'shop:'"),
        ({"event_exchange": "shopev"}, "/0.shopev/worker.heartbeat"),
        (
            {"broker_transport_options": {"fanout_prefix": "shop.{db}."}},
            "global_keyprefix, fanout_prefix",
        ),
    ],
    ids=["prefix", "exchange", "fanout prefix"],
)
def test_another_name(
    redis_server: redis.RedisServer,
    start_worker: conftest.StartWorker,
    noted: Callable[..., str],
    application: dict[str, Any],
    expected: str,
) -> None:
    """A prefix or an exchange that the application has and we lack is named."""
    start_worker(redis_server.url, config=application)
    assert expected in noted(redis_server.url)


def test_nobody_is_there_yet(
    redis_server: redis.RedisServer,
    start_worker: conftest.StartWorker,
    start_daemon: conftest.StartDaemon,
) -> None:
    """Where workers are not started yet nothing is suspected, whatever else the Redis holds."""
    with redis_server.client(1) as client:
        client.set("of another application", "x")
        client.sadd("_kombu.binding.reply.celery.pidbox", "of somebody's inspect")
    sentinel = start_daemon(redis_server.url, config=told.config())
    told.well(sentinel)
    with redis_server.client() as client:  # it has looked, and found nothing
        deadline.wait_until(
            lambda: client.info("commandstats").get("cmdstat_psubscribe", {}).get("calls", 0) > 1,
            told.WITHIN,
            "it looks for heartbeats",
        )
        deadline.wait_until(
            lambda: client.info("commandstats").get("cmdstat_sscan", {}).get("calls", 0) > 0,
            told.WITHIN,
            "it looks for keys",
        )
    start_worker(redis_server.url)
    _heard(sentinel)
    assert UNHEARD not in told.notes_of(sentinel)
    assert "celery_is_elsewhere" not in sentinel.stderr_text


def _heard(sentinel: daemon.Daemon) -> None:
    told.eventually(lambda: told.metric(sentinel, "celery_worker_up") == 1, "a worker is heard")
