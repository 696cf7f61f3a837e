"""A broker that does not answer makes depths unknown, and delays nobody who asks us."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from tests.integration import conftest as shared
from tests.integration.queues import look
from tests.servers import daemon

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import server

SUCCESS = "celery_sentinel_poll_success"
INTERVAL = 2.0  # seconds; polls that time out take more
LONGEST_SCRAPE = 1.0  # seconds; one that waited for a poll would take three
HUNG = 2.0  # seconds that a poll takes at least which the broker does not answer
# Three intervals, a poll that times out meanwhile, and whatever holds the machine up.
GONE_WITHIN = 3 * INTERVAL + 30


def test_a_broker_that_dies_and_comes_back(
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    make_producer: conftest.MakeProducer,
) -> None:
    """Values outlive it for three intervals, then they are absent; later they are back."""
    sentinel = started(broker, watch, make_producer)

    broker.kill()
    failing_and_gone(sentinel)

    look.eventually(lambda: "poll_failing" in sentinel.stderr_text, "the log says so")
    broker.start()
    shared.wait_up(sentinel)
    look.becomes(sentinel, 1, SUCCESS, poller="queues")
    # Its connections of before are dead, and the first attempt finds that out.
    make_producer(broker.url, config={"task_publish_retry": True}).send("quick", queue="shop")
    look.eventually(lambda: (look.length(sentinel, "shop") or 0) >= 1, "depth is known again")
    look.eventually(lambda: "poll_recovered" in sentinel.stderr_text, "the log says so")


def test_a_broker_that_freezes_delays_no_scrape(
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    make_producer: conftest.MakeProducer,
) -> None:
    """While polls hang scrapes are as quick as ever; values go in time, and come back."""
    sentinel = started(broker, watch, make_producer)

    broker.pause()
    failing_and_gone(sentinel)
    watched = Watched(sentinel)
    # The machine may hold up any scrape; a poll that does it would do it each time.
    look.eventually(
        watched.undisturbed, "a poll hung from begin to end and held up no scrape", seconds=180
    )
    broker.resume()

    look.becomes(sentinel, 1, "celery_queue_length", queue_name="shop")
    look.becomes(sentinel, 1, SUCCESS, poller="queues")


class Watched:
    """Scrapes beside polls that hang."""

    def __init__(self, sentinel: daemon.Daemon) -> None:
        self._sentinel = sentinel
        self._ended: float | None = math.nan  # the duration of the last poll that ended
        self._slowest = math.inf  # of the scrapes since then; the first poll began without us

    def undisturbed(self) -> bool:
        """Scrape; tell whether a poll ended by which no scrape was held up."""
        begun = time.monotonic()
        samples = self._sentinel.scrape()
        self._slowest = max(self._slowest, time.monotonic() - begun)
        name = "celery_sentinel_poll_duration_seconds"
        duration = daemon.total(samples, name, poller="queues")
        if duration == self._ended:
            return False
        found = self._slowest < LONGEST_SCRAPE and duration is not None and duration > HUNG
        self._ended, self._slowest = duration, 0.0
        return found


def started(
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    make_producer: conftest.MakeProducer,
) -> daemon.Daemon:
    """Start a daemon that knows of one message in the queue shop."""
    sentinel = watch(broker.url, polling={"queues": f"{INTERVAL}s"}, queues={"watch": ["shop"]})
    make_producer(broker.url).send("quick", queue="shop")
    look.becomes(sentinel, 1, "celery_queue_length", queue_name="shop")
    return sentinel


def failing_and_gone(sentinel: daemon.Daemon) -> None:
    """Wait until the values are gone."""

    def gone() -> bool:
        length = look.length(sentinel, "shop")
        assert length in (1, None)
        return length is None

    look.eventually(gone, "the length is unknown", seconds=GONE_WITHIN)
    look.becomes(sentinel, 0, SUCCESS, poller="queues")
    for name in ("round_trip_seconds", "unacked_messages"):
        look.eventually(
            lambda n=name: look.value(sentinel, f"celery_broker_{n}") is None, "so is the rest"
        )
