"""What the application holds in Redis stays as it is, however slow or silent its workers are."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

from tests.commands import allowed, recording
from tests.servers import daemon, deadline, relay

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import conftest as fixtures
    from tests.servers import redis, worker

HELD = 3
SECONDS = 60.0
ETA = 40.0  # seconds; longer than all that comes before
LATE = 4000.0  # seconds, more than kombu's visibility_timeout where nobody has told it another
ROUNDS = 8  # with kombu's consumer the messages moved in the third
_CONFIG = {"broker_transport_options": {"visibility_timeout": 86_400}}


def _answer_slowly(slow: worker.CeleryWorker, over: threading.Event) -> None:
    while not over.is_set():
        slow.process.send(signal.SIGSTOP)
        over.wait(1.25)
        slow.process.send(signal.SIGCONT)
        over.wait(0.35)


@pytest.mark.parametrize("workers", ["1s", "3s"])
def test_held_tasks_run_once(
    workers: str,
    redis_server: redis.RedisServer,
    start_worker: fixtures.StartWorker,
    make_producer: fixtures.MakeProducer,
    ask_often: Callable[..., daemon.Daemon],
) -> None:
    """Tasks with an eta under a visibility_timeout that only the application knows run once.

    With one worker that never answers, and one that answers late, at any pace of asking.
    """
    slow = start_worker(redis_server.url, name="slow", config=_CONFIG)
    sending = make_producer(redis_server.url, config=_CONFIG)
    for _ in range(HELD):
        sending.send("quick", countdown=ETA)
    heard = recording.Recording(allowed.AllowList("Redis"))
    over = threading.Event()
    slowly = threading.Thread(target=_answer_slowly, args=(slow, over))
    with redis_server.client() as client, relay.Relay(redis_server.url, listen=heard.redis) as way:
        deadline.wait_until(lambda: client.zcard("unacked_index") == HELD, SECONDS, "all held")
        for tag in client.zrange("unacked_index", 0, -1):
            client.zincrby("unacked_index", -LATE, tag)
        held = client.hgetall("unacked")
        silent = start_worker(redis_server.url, name="silent", config=_CONFIG)
        sentinel = ask_often(way.url, polling={"workers": workers, "timeout": "1s"})
        silent.pause()
        slowly.start()
        try:
            _wait_rounds(sentinel, ROUNDS)
            assert client.hgetall("unacked") == held
        finally:
            over.set()
            slowly.join()
            slow.resume()
            silent.resume()
        deadline.wait_until(
            lambda: slow.truth.outcomes()["succeeded"] >= HELD, SECONDS, "they have run"
        )
        deadline.wait_until(lambda: not client.exists("unacked_index"), SECONDS, "all is done")
        _wait_rounds(sentinel, 2)

    done = slow.truth.outcomes() + silent.truth.outcomes()
    assert (done["received"], done["succeeded"]) == (HELD, HELD)
    assert heard.unmatched == {}
    assert heard.refused == {}


def _wait_rounds(sentinel: daemon.Daemon, number: int) -> None:
    """Wait for so many answered rounds of the poll of the workers."""
    seen: set[float | None] = set()

    def rounds() -> int:
        name = "celery_sentinel_poll_last_success_timestamp_seconds"
        seen.add(daemon.total(sentinel.scrape(), name, poller="workers"))
        return len(seen) - 1

    deadline.wait_until(lambda: rounds() >= number, SECONDS, f"{number} rounds", every=0.1)
