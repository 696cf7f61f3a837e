"""Workers are asked when it is time: newcomers at once, all of them again after a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.servers import daemon, deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import redis, server

SECONDS = 60.0
# No round of all after the first, and time to answer for a worker that waits for the processor.
RARELY = {"workers": "600s", "timeout": "5s"}


def test_newcomers_are_asked_out_of_turn(
    redis_server: redis.RedisServer,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
) -> None:
    """Workers that start between two polls are known long before the next one is due."""
    sentinel = ask_often(redis_server.url, polling=RARELY)
    for name in ("w1", "w2", "w3"):
        start_worker(redis_server.url, name=name)

    deadline.wait_until(lambda: _answering(sentinel) == 3, SECONDS, "all three have answered")


def test_a_restarted_worker_is_asked_out_of_turn(
    redis_server: redis.RedisServer,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
) -> None:
    """A new process under an old name is another worker, of which nothing is known yet."""
    sentinel = ask_often(redis_server.url, polling=RARELY)
    restarted = start_worker(redis_server.url)
    deadline.wait_until(lambda: _answering(sentinel) == 1, SECONDS, "it has answered")

    restarted.kill()
    restarted.start()

    # From then on an answer is that of the new process.
    def restarts() -> float | None:
        return daemon.total(sentinel.scrape(), "celery_worker_restarts_total")

    deadline.wait_until(lambda: restarts() == 1, SECONDS, "the new one is known")
    deadline.wait_until(lambda: _answering(sentinel) == 1, SECONDS, "the new one has answered")


def test_while_the_broker_is_away_nothing_is_said_of_answers(
    broker: server.Broker,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
) -> None:
    """Polls fail and are counted as such, nobody is responding 0, and all is well afterwards."""
    sentinel = ask_often(broker.url, polling={"workers": "5s", "timeout": "5s"})
    start_worker(broker.url)
    deadline.wait_until(lambda: _answering(sentinel) == 1, SECONDS, "w1 answers")

    broker.kill()
    seen: set[float | None] = set()

    def failed() -> bool:
        seen.add(_answering(sentinel))
        return _poll_success(sentinel) == 0

    deadline.wait_until(failed, SECONDS, "the poll has failed")
    deadline.wait_until(lambda: _answering(sentinel) is None, SECONDS, "the old answer is no more")
    broker.start()
    deadline.wait_until(lambda: _answering(sentinel) == 1, 2 * SECONDS, "w1 answers again")
    deadline.wait_until(lambda: _poll_success(sentinel) == 1, SECONDS, "the polls succeed again")

    assert seen <= {1.0, None}


def _answering(sentinel: daemon.Daemon) -> float | None:
    return daemon.total(sentinel.scrape(), "celery_worker_responding")


def _poll_success(sentinel: daemon.Daemon) -> float | None:
    return daemon.total(sentinel.scrape(), "celery_sentinel_poll_success", poller="workers")
