"""A scrape never waits for what the daemon asks the workers meanwhile."""

from __future__ import annotations

import base64
import json
import statistics
import time
from typing import TYPE_CHECKING

import httpx

from tests.servers import daemon, deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import redis

TIMEOUT = 15.0  # seconds that each poll takes
LONGEST = 10.0  # seconds of a scrape that was not held up by one
SECONDS = 90.0


def test_a_scrape_does_not_wait_for_a_poll(
    redis_server: redis.RedisServer,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Beside a poll that takes its whole time-out no scrape takes nearly as long."""
    long = f"{TIMEOUT}s"
    sentinel = ask_often(redis_server.url, polling={"workers": long, "timeout": long})
    for name in ("w1", "w2"):
        start_worker(redis_server.url, name=name)
    frozen = start_worker(redis_server.url, name="w3", extra_args=["--heartbeat-interval=60"])
    sending = make_producer(redis_server.url)
    for _ in range(4):
        sending.send("slow", 600.0)
    deadline.wait_until(lambda: _answering(sentinel) == 3, SECONDS, "all answer")
    frozen.pause()
    _wait_for_a_question(redis_server)

    with httpx.Client(base_url=sentinel.url, timeout=2 * TIMEOUT, trust_env=False) as client:
        # The machine may hold up any scrape; polls that do it would do it each time.
        took = deadline.wait_until(lambda: _quick(client), 300, "20 scrapes beside polls")

    print(  # noqa: T201 -- a figure for the release notes
        f"scrape with two busy workers and a poll under way: median "
        f"{statistics.median(took) * 1000:.1f} ms, longest {max(took) * 1000:.1f} ms"
    )


def _quick(client: httpx.Client) -> list[float] | None:
    """Return how long 20 scrapes took; None if one was held up."""
    took = [_timed(client) for _ in range(20)]
    return took if max(took) < LONGEST else None


def _timed(client: httpx.Client) -> float:
    """Return how long one scrape takes; parsing it is not part of it."""
    begun = time.perf_counter()
    client.get("/metrics").raise_for_status()
    return time.perf_counter() - begun


def _answering(sentinel: daemon.Daemon) -> float | None:
    return daemon.total(sentinel.scrape(), "celery_worker_responding")


def _wait_for_a_question(server: redis.RedisServer) -> None:
    """Wait until the workers are asked: one who cannot answer makes that a long poll."""
    with server.client() as client, client.pubsub() as listening:
        listening.psubscribe("*.celery.pidbox")

        def asked() -> bool:
            message = listening.get_message(ignore_subscribe_messages=True)
            if message is None:
                return False
            question = json.loads(base64.b64decode(json.loads(message["data"])["body"]))
            return bool(question["method"] == "stats")

        deadline.wait_until(asked, SECONDS, "the workers are asked")
