"""What networks do to a connection is a gap with its length, and events flow again after it."""

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
    from tests.servers import server

pytestmark = pytest.mark.timeout(500)

POLLS = "polling: {workers: 4s, queues: 2s}\n"
LAST_POLL = "celery_sentinel_poll_last_success_timestamp_seconds"


def test_a_black_hole_is_found_and_left(
    broker: server.Broker,
    start_proxy: here.StartProxy,
    watch_stream: here.WatchStream,
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """All our connections half-open: a gap since then, nobody accused, and all go on anew."""
    between = start_proxy(broker.url)
    sentinel = watch_stream(between.url(broker.url), POLLS)
    start_worker(broker.url)
    sending = make_producer(broker.url)
    deadline.wait_until(lambda: _polled(sentinel) > 0, 90, "both polls were answered")
    deadline.wait_until(lambda: here.value(sentinel, "celery_worker_up") == 1, 90, "w1 is up")

    assert between.black_hole() >= 3
    began = time.time()
    sending.send("quick")
    deadline.wait_until(lambda: here.value(sentinel, here.GAPS) == 1, 90, "the gap is counted")
    shared.wait_up(sentinel)
    away = here.back_at(sentinel) - began

    samples = sentinel.scrape()
    assert daemon.total(samples, here.GAPS, reason="watchdog") == 1
    # Bytes last came up to a heartbeat (of a worker, or of the server) before; what was under
    # way, a busy daemon may have read later.
    assert away - 5 < (daemon.total(samples, here.GAP_SECONDS) or 0) < away + 30
    sending.send("quick")
    deadline.wait_until(
        lambda: here.value(sentinel, "celery_task_succeeded_total") == 1, 90, "events flow again"
    )
    deadline.wait_until(lambda: _polled(sentinel) > began + 1, 90, "polls are answered again")
    deadline.wait_until(lambda: here.value(sentinel, "celery_worker_up") == 1, 90, "w1 is up")
    assert here.value(sentinel, "celery_worker_lost_total") == 0
    assert here.value(sentinel, here.GAPS) == 1


def test_a_message_that_stalls_in_its_middle_is_a_gap(
    broker: server.Broker,
    start_proxy: here.StartProxy,
    watch_stream: here.WatchStream,
    open_flood: Callable[[str], flood.Flood],
) -> None:
    """Half a message and then nothing holds nobody up for ever."""
    between = start_proxy(broker.url)
    sentinel = watch_stream(between.url(broker.url))
    publishing = open_flood(broker.url)

    between.stall(after=300)
    publishing.publish(flood.events(30))
    deadline.wait_until(
        lambda: here.value(sentinel, here.GAPS, reason="watchdog") == 1, 90, "the gap is counted"
    )
    shared.wait_up(sentinel)
    before = here.value(sentinel, here.EVENTS)
    publishing.publish(flood.events(30, of="b"))

    deadline.wait_until(
        lambda: here.value(sentinel, here.EVENTS) == before + 30, 90, "events flow again"
    )


def test_a_reset_is_a_gap_of_an_error(
    broker: server.Broker,
    start_proxy: here.StartProxy,
    watch_stream: here.WatchStream,
    open_flood: Callable[[str], flood.Flood],
) -> None:
    """RST is seen at once and costs the time to the next subscription, no more."""
    between = start_proxy(broker.url)
    sentinel = watch_stream(between.url(broker.url))
    publishing = open_flood(broker.url)
    began = time.time()
    publishing.publish(flood.events(30))
    deadline.wait_until(lambda: here.value(sentinel, here.EVENTS) == 30, 90, "30 are counted")

    between.reset()
    deadline.wait_until(
        lambda: here.value(sentinel, here.GAPS, reason="error") == 1, 90, "the gap is counted"
    )
    shared.wait_up(sentinel)
    away = here.back_at(sentinel) - began
    publishing.publish(flood.events(30, of="b"))

    deadline.wait_until(lambda: here.value(sentinel, here.EVENTS) == 60, 90, "events flow again")
    assert here.value(sentinel, here.GAP_SECONDS) < away + 30


def test_a_slow_network_is_no_gap(
    broker: server.Broker,
    start_proxy: here.StartProxy,
    watch_stream: here.WatchStream,
    open_flood: Callable[[str], flood.Flood],
) -> None:
    """A third of a second for each piece of data loses nothing."""
    between = start_proxy(broker.url)
    between.delay = 0.3
    sentinel = watch_stream(between.url(broker.url))
    publishing = open_flood(broker.url)

    for burst in "abc":
        publishing.publish(flood.events(300, of=burst))

    deadline.wait_until(lambda: here.value(sentinel, here.EVENTS) == 900, 90, "all are counted")
    assert here.value(sentinel, here.GAPS) == 0


def _polled(sentinel: daemon.Daemon) -> float:
    """Return when the one of both polls was last answered that was answered longer ago."""
    samples = sentinel.scrape()
    return min(daemon.total(samples, LAST_POLL, poller=name) or 0 for name in ("queues", "workers"))
