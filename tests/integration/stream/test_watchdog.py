"""A subscription that is dead on a live connection is made anew; a dead fleet stays dead."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.integration import conftest as shared
from tests.integration.stream import conftest as here
from tests.servers import daemon, deadline, flood

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import rabbitmq, redis, server

pytestmark = pytest.mark.timeout(400)


def test_a_lost_subscription_on_redis_is_renewed(
    redis_server: redis.RedisServer,
    start_proxy: here.StartProxy,
    watch_stream: here.WatchStream,
    start_beating: here.StartBeating,
) -> None:
    """The connection answers each PING, but nothing comes from a worker that beats."""
    between = start_proxy(redis_server.url)
    sentinel = watch_stream(between.url(redis_server.url))
    start_beating(redis_server.url)
    deadline.wait_until(lambda: here.value(sentinel, "celery_worker_up") == 1, 90, "it is up")

    between.inject(b"PUNSUBSCRIBE\r\nUNSUBSCRIBE\r\n", where=b"PSUBSCRIBE")

    _assert_renewed(sentinel)


def test_a_lost_binding_on_rabbitmq_is_renewed(
    rabbitmq_server: rabbitmq.RabbitServer,
    watch_stream: here.WatchStream,
    start_beating: here.StartBeating,
    open_flood: Callable[[str], flood.Flood],
) -> None:
    """The server sends its heartbeats, but the exchange knows nothing of our queue any more."""
    sentinel = watch_stream(rabbitmq_server.url)
    beating = start_beating(rabbitmq_server.url)
    deadline.wait_until(lambda: here.value(sentinel, "celery_worker_up") == 1, 90, "it is up")

    with beating.quiet:  # there is no exchange for a moment
        open_flood(rabbitmq_server.url).lose_bindings()

    _assert_renewed(sentinel)


def test_a_killed_fleet_is_doubted_once_and_down_all_the_same(
    broker: server.Broker, watch_stream: here.WatchStream, start_worker: conftest.StartWorker
) -> None:
    """The only worker is killed: it is down in time, and to subscribe anew is no gap for that."""
    sentinel = watch_stream(broker.url)
    working = start_worker(broker.url)
    deadline.wait_until(lambda: here.value(sentinel, "celery_worker_up") == 1, 90, "w1 is up")

    working.kill()

    deadline.wait_until(
        lambda: daemon.total(sentinel.scrape(), "celery_worker_up") == 0, 90, "w1 is down"
    )
    deadline.wait_until(
        lambda: "subscription_renewed" in sentinel.stderr_text, 90, "it was doubted"
    )
    shared.wait_up(sentinel)
    assert daemon.total(sentinel.scrape(), "celery_worker_up") == 0
    working.start()
    deadline.wait_until(lambda: here.value(sentinel, "celery_worker_up") == 1, 90, "w1 is back")
    assert here.value(sentinel, here.GAPS) == 0


def _assert_renewed(sentinel: daemon.Daemon) -> None:
    """Assert that the silence which begins now ends by itself, with a gap of its length."""
    began = time.time()
    deadline.wait_until(
        lambda: here.value(sentinel, here.GAPS, reason="watchdog") == 1, 90, "the gap is counted"
    )
    shared.wait_up(sentinel)
    away = here.back_at(sentinel) - began
    # Events last came with a beat before; or after, of a server that was busy elsewhere.
    assert away - 5 < here.value(sentinel, here.GAP_SECONDS) < away + 30
    deadline.wait_until(
        lambda: daemon.total(sentinel.scrape(), "celery_worker_up") == 1, 90, "it is up again"
    )
