"""A broker that does not answer makes depths unknown, and delays nobody who asks us."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.integration import conftest as shared
from tests.integration.queues import look

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import daemon, server

SUCCESS = "celery_sentinel_poll_success"
INTERVAL = 2.0  # seconds; polls that time out take more
LONGEST_SCRAPE = 1.0  # seconds; one that waited for a poll would take three
# Three intervals, a poll that times out meanwhile, and the daemon's own pulse.
GONE_WITHIN = 3 * INTERVAL + 5


def test_a_broker_that_dies_and_comes_back(
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    make_producer: conftest.MakeProducer,
) -> None:
    """Values outlive it for three intervals, then they are absent; later they are back."""
    sentinel = started(broker, watch, make_producer)

    broker.kill()
    killed_at = time.monotonic()
    failing_and_gone(sentinel)

    assert time.monotonic() - killed_at < GONE_WITHIN
    assert "poll_failing" in sentinel.stderr_text
    broker.start()
    shared.wait_up(sentinel)
    look.eventually(lambda: look.value(sentinel, SUCCESS, poller="queues") == 1, "it recovers")
    # Its connections of before are dead, and the first attempt finds that out.
    make_producer(broker.url, config={"task_publish_retry": True}).send("quick", queue="shop")
    look.eventually(lambda: (look.length(sentinel, "shop") or 0) >= 1, "depth is known again")
    assert "poll_recovered" in sentinel.stderr_text


def test_a_broker_that_freezes_delays_no_scrape(
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    make_producer: conftest.MakeProducer,
) -> None:
    """While polls hang scrapes are as quick as ever; values go in time, and come back."""
    sentinel = started(broker, watch, make_producer)

    broker.pause()
    paused_at = time.monotonic()
    slowest = failing_and_gone(sentinel)
    gone_after = time.monotonic() - paused_at
    duration = look.value(sentinel, "celery_sentinel_poll_duration_seconds", poller="queues")
    broker.resume()

    assert slowest < LONGEST_SCRAPE
    assert gone_after < GONE_WITHIN
    assert duration is not None
    assert duration > 2  # so the scrapes went on beside a poll that hung
    look.eventually(lambda: look.length(sentinel, "shop") == 1, "depth is known again", seconds=40)
    look.eventually(lambda: look.value(sentinel, SUCCESS, poller="queues") == 1, "it recovers")


def started(
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    make_producer: conftest.MakeProducer,
) -> daemon.Daemon:
    """Start a daemon that knows of one message in the queue shop."""
    sentinel = watch(broker.url, polling={"queues": f"{INTERVAL}s"}, queues={"watch": ["shop"]})
    make_producer(broker.url).send("quick", queue="shop")
    look.eventually(lambda: look.length(sentinel, "shop") == 1, "one waits")
    return sentinel


def failing_and_gone(sentinel: daemon.Daemon) -> float:
    """Wait until the values are gone; return how long the slowest scrape took, in seconds."""
    slowest = 0.0

    def gone() -> bool:
        nonlocal slowest
        begun = time.monotonic()
        length = look.length(sentinel, "shop")
        slowest = max(slowest, time.monotonic() - begun)
        assert length in (1, None)
        return length is None

    look.eventually(gone, "the length is unknown", seconds=30)
    look.eventually(lambda: look.value(sentinel, SUCCESS, poller="queues") == 0, "it fails")
    for name in ("round_trip_seconds", "unacked_messages"):
        look.eventually(
            lambda n=name: look.value(sentinel, f"celery_broker_{n}") is None, "so is the rest"
        )
    return slowest
