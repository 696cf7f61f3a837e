"""A hundred thousand single events at once are counted to the event, or the break is."""

from __future__ import annotations

import time
from concurrent import futures
from typing import TYPE_CHECKING

import pytest

from tests.integration import conftest as shared
from tests.integration.stream import conftest as here
from tests.servers import daemon, deadline, flood

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers import rabbitmq, redis

BURST = 100_000
ATTEMPTS = 4

pytestmark = pytest.mark.timeout(400)


def test_a_burst_on_redis_is_counted_to_the_event(
    redis_server: redis.RedisServer,
    watch_stream: here.WatchStream,
    open_flood: Callable[[str], flood.Flood],
) -> None:
    """At Redis' own limits for subscribers nothing is lost, and nothing cut off.

    A daemon that gets no processor for seconds is cut off, whatever it does: it may try again.
    """
    publishing = open_flood(redis_server.url)
    for attempt in range(ATTEMPTS):
        sentinel = watch_stream(redis_server.url)
        publishing.publish(flood.events(BURST, of=f"{attempt:x}"))
        deadline.wait_until(lambda one=sentinel: _counted_or_cut(one), 90, "all are counted")
        samples = sentinel.scrape()
        if not daemon.total(samples, here.GAPS):
            break
        sentinel.kill()
    assert daemon.total(samples, here.EVENTS) == BURST
    assert daemon.total(samples, here.EVENTS, type="task-started") == (BURST + 1) // 3
    assert daemon.total(samples, here.GAPS) == 0


def test_a_daemon_that_redis_cut_off_says_so(
    redis_server: redis.RedisServer,
    watch_stream: here.WatchStream,
    open_flood: Callable[[str], flood.Flood],
) -> None:
    """Stopped for seconds during a burst, it counts one gap as long as it could not listen."""
    sentinel = watch_stream(redis_server.url)
    publishing = open_flood(redis_server.url)

    running_at = time.monotonic()
    sentinel.pause()
    paused = time.monotonic()
    publishing.publish(flood.events(BURST))
    deadline.wait_until(lambda: time.monotonic() - paused > 4, 60, "four seconds have passed")
    least = time.monotonic() - paused
    sentinel.resume()
    deadline.wait_until(
        lambda: here.value(sentinel, here.GAPS, reason="slow_consumer") == 1, 60, "a gap"
    )
    shared.wait_up(sentinel)
    most = time.monotonic() - running_at

    before = here.value(sentinel, here.EVENTS)
    assert 0 < before < BURST
    # Where it stood still in a read, half a second of that had been listened to.
    assert least - 1 < here.value(sentinel, here.GAP_SECONDS) < most + 30
    publishing.publish(flood.events(300, of="b"))
    deadline.wait_until(
        lambda: here.value(sentinel, here.EVENTS) == before + 300, 60, "events flow again"
    )


def test_a_burst_on_rabbitmq_waits_for_a_daemon_that_stands_still(
    rabbitmq_server: rabbitmq.RabbitServer,
    watch_stream: here.WatchStream,
    open_flood: Callable[[str], flood.Flood],
) -> None:
    """Our own queue holds what came while the daemon did not run, and drops none of it."""
    sentinel = watch_stream(rabbitmq_server.url)
    publishing = open_flood(rabbitmq_server.url)
    events = flood.events(BURST)

    with futures.ThreadPoolExecutor(1) as pool:
        sentinel.pause()
        published = pool.submit(publishing.publish, events)
        # RabbitMQ gives up who sends no heartbeat for ten seconds and more.
        futures.wait([published], timeout=4)
        sentinel.resume()
        published.result()

    deadline.wait_until(lambda: here.value(sentinel, here.EVENTS) >= BURST, 120, "all are counted")
    samples = sentinel.scrape()
    assert daemon.total(samples, here.EVENTS) == BURST
    assert daemon.total(samples, here.GAPS) == 0


def _counted_or_cut(sentinel: daemon.Daemon) -> bool:
    samples = sentinel.scrape()
    return (
        bool(daemon.total(samples, here.GAPS)) or (daemon.total(samples, here.EVENTS) or 0) >= BURST
    )
