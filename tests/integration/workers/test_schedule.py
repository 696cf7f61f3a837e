"""Workers are asked when it is time: newcomers at once, all of them again after a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.servers import daemon, deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import redis, server


def test_newcomers_are_asked_out_of_turn(
    redis_server: redis.RedisServer,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
) -> None:
    """Workers that start between two polls are known long before the next one is due."""
    sentinel = ask_often(redis_server.url, polling={"workers": "600s"})
    for name in ("w1", "w2", "w3"):
        start_worker(redis_server.url, name=name)

    deadline.wait_until(lambda: _answering(sentinel) == 3, 15, "all three have answered")


def test_a_restarted_worker_is_asked_out_of_turn(
    redis_server: redis.RedisServer,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
) -> None:
    """A new process under an old name is another worker, of which nothing is known yet."""
    sentinel = ask_often(redis_server.url, polling={"workers": "600s"})
    restarted = start_worker(redis_server.url)
    deadline.wait_until(lambda: _answering(sentinel) == 1, 15, "it has answered")

    restarted.kill()
    restarted.start()

    deadline.wait_until(lambda: _answering(sentinel) is None, 15, "the new one is known")
    deadline.wait_until(lambda: _answering(sentinel) == 1, 15, "the new one has answered")


def test_while_the_broker_is_away_nothing_is_said_of_answers(
    broker: server.Broker,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
) -> None:
    """Polls fail and are counted as such, nobody is responding 0, and all is well afterwards."""
    sentinel = ask_often(broker.url)
    start_worker(broker.url)
    deadline.wait_until(lambda: _answering(sentinel) == 1, 20, "w1 answers")

    broker.kill()
    seen: set[float | None] = set()

    def failed() -> bool:
        seen.add(_answering(sentinel))
        return _poll_success(sentinel) == 0

    deadline.wait_until(failed, 20, "the poll has failed")
    deadline.wait_until(lambda: _answering(sentinel) is None, 20, "the old answer is no more")
    broker.start()
    deadline.wait_until(lambda: _answering(sentinel) == 1, 60, "w1 answers again")

    assert seen <= {1.0, None}
    assert _poll_success(sentinel) == 1


def _answering(sentinel: daemon.Daemon) -> float | None:
    return daemon.total(sentinel.scrape(), "celery_worker_responding")


def _poll_success(sentinel: daemon.Daemon) -> float | None:
    return daemon.total(sentinel.scrape(), "celery_sentinel_poll_success", poller="workers")
