"""A hundred thousand single events at once are counted to the event, or the break is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.integration import conftest as shared
from tests.integration.stream import conftest as here
from tests.servers import daemon, deadline, flood

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers import rabbitmq, redis

BURST = 100_000


def test_a_burst_on_redis_is_counted_to_the_event(
    redis_server: redis.RedisServer,
    watch_stream: here.WatchStream,
    open_flood: Callable[[str], flood.Flood],
) -> None:
    """At Redis' own limits for subscribers nothing is lost, and nothing cut off."""
    sentinel = watch_stream(redis_server.url)

    open_flood(redis_server.url).publish(flood.events(BURST))

    deadline.wait_until(lambda: here.value(sentinel, here.EVENTS) >= BURST, 60, "all are counted")
    samples = sentinel.scrape()
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

    sentinel.pause()
    paused = time.monotonic()
    publishing.publish(flood.events(BURST))
    deadline.wait_until(lambda: time.monotonic() - paused > 4, 10, "four seconds have passed")
    sentinel.resume()
    away = time.monotonic() - paused
    deadline.wait_until(
        lambda: here.value(sentinel, here.GAPS, reason="slow_consumer") == 1, 20, "a gap"
    )
    shared.wait_up(sentinel)

    before = here.value(sentinel, here.EVENTS)
    assert 0 < before < BURST
    assert away - 1 < here.value(sentinel, here.GAP_SECONDS) < away + 5
    publishing.publish(flood.events(300, of="b"))
    deadline.wait_until(
        lambda: here.value(sentinel, here.EVENTS) == before + 300, 20, "events flow again"
    )


def test_a_burst_on_rabbitmq_waits_for_a_daemon_that_stands_still(
    rabbitmq_server: rabbitmq.RabbitServer,
    watch_stream: here.WatchStream,
    open_flood: Callable[[str], flood.Flood],
) -> None:
    """Our own queue holds what came while the daemon did not run, and drops none of it."""
    sentinel = watch_stream(rabbitmq_server.url)
    publishing = open_flood(rabbitmq_server.url)

    sentinel.pause()
    publishing.publish(flood.events(BURST))
    sentinel.resume()

    deadline.wait_until(lambda: here.value(sentinel, here.EVENTS) >= BURST, 60, "all are counted")
    samples = sentinel.scrape()
    assert daemon.total(samples, here.EVENTS) == BURST
    assert daemon.total(samples, here.GAPS) == 0
