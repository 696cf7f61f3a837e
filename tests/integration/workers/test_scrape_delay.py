"""A scrape never waits for what the daemon asks the workers meanwhile."""

from __future__ import annotations

import signal
import statistics
import time
from typing import TYPE_CHECKING

import httpx

from tests.servers import daemon, deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import redis

TIMEOUT = 2.0


def test_a_scrape_does_not_wait_for_a_poll(
    redis_server: redis.RedisServer,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """While each poll takes its whole time-out, 20 scrapes together take less than one of them."""
    sentinel = ask_often(redis_server.url, polling={"timeout": f"{TIMEOUT}s"})
    for name in ("w1", "w2"):
        start_worker(redis_server.url, name=name)
    frozen = start_worker(redis_server.url, name="w3", extra_args=["--heartbeat-interval=30"])
    sending = make_producer(redis_server.url)
    for _ in range(4):
        sending.send("slow", 60.0)
    deadline.wait_until(lambda: _answering(sentinel) == 3, 20, "all answer")
    frozen.process.send(signal.SIGSTOP)
    deadline.wait_until(lambda: _poll_seconds(sentinel) >= TIMEOUT, 20, "polls take their time")

    with httpx.Client(base_url=sentinel.url, timeout=TIMEOUT, trust_env=False) as client:
        took = [_timed(client) for _ in range(20)]

    frozen.process.send(signal.SIGCONT)
    print(  # noqa: T201 -- a figure for the release notes
        f"scrape with two busy workers and a poll under way: median "
        f"{statistics.median(took) * 1000:.1f} ms, longest {max(took) * 1000:.1f} ms"
    )
    assert sum(took) < TIMEOUT


def _timed(client: httpx.Client) -> float:
    """Return how long one scrape takes; parsing it is not part of it."""
    begun = time.perf_counter()
    client.get("/metrics").raise_for_status()
    return time.perf_counter() - begun


def _answering(sentinel: daemon.Daemon) -> float | None:
    return daemon.total(sentinel.scrape(), "celery_worker_responding")


def _poll_seconds(sentinel: daemon.Daemon) -> float:
    samples = sentinel.scrape()
    return daemon.total(samples, "celery_sentinel_poll_duration_seconds", poller="workers") or 0.0
