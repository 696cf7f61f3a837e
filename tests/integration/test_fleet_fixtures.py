"""The fixtures beside the servers: workers, producers, the daemon, and what tells of them."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.servers import daemon, deadline, process

if TYPE_CHECKING:
    from tests import conftest
    from tests.servers import promtool, redis, server
    from tests.servers.worker import Pool

_SECONDS = 60.0


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo", "gevent"])
def test_worker_of_each_pool_runs_a_task(
    pool: Pool,
    redis_server: redis.RedisServer,
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Every pool starts, runs what the producer sends, and stops with nothing left."""
    celery_worker = start_worker(redis_server.url, pool=pool)
    producer = make_producer(redis_server.url)

    producer.send("quick", 1)
    deadline.wait_until(
        lambda: celery_worker.truth.outcomes()["succeeded"] == 1, _SECONDS, "the task succeeded"
    )
    code = celery_worker.stop()

    assert producer.sent == {("quick", "celery"): 1}
    assert code == 0
    assert process.group_states(celery_worker.pid) == {}


def test_truth_tells_every_outcome(
    broker: server.Broker,
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """The record names each outcome of each task, by way of Celery's signals."""
    celery_worker = start_worker(broker.url, queues=["celery", "other"])
    producer = make_producer(broker.url)

    producer.send("quick", queue="other")
    producer.send("failing", "declined")
    producer.send("retrying", 2)
    producer.send("quick", expires=-1, queue="other")
    producer.send("ignoring")
    producer.send("not_a_number")
    producer.send("lone_surrogate")
    producer.send("progressing", 0.5)
    producer.send("silent")
    producer.send_unregistered("nobody_knows")
    expected = {"succeeded": 6, "failed": 1, "retried": 2, "revoked": 1, "unknown": 1}

    def outcomes() -> dict[str, int]:
        counted = celery_worker.truth.outcomes()
        return {outcome: counted[outcome] for outcome in expected}

    deadline.wait_until(lambda: outcomes() == expected, _SECONDS, "all tasks ended")
    assert celery_worker.truth.exceptions() == {
        ("failing", "PaymentDeclinedError"): 1,
        ("retrying", "TimeoutError"): 2,
    }
    assert celery_worker.truth.counts()["received", "retrying"] == 3


def test_killed_worker_takes_its_children_along(
    redis_server: redis.RedisServer, start_worker: conftest.StartWorker
) -> None:
    """A worker has pool processes; killing it leaves none of them."""
    celery_worker = start_worker(redis_server.url, concurrency=2)
    alive = process.group_states(celery_worker.pid)

    celery_worker.kill()

    assert len(alive) >= 3
    assert process.group_states(celery_worker.pid) == {}
    assert celery_worker.returncode == -signal.SIGKILL


def test_promtool_accepts_good_and_names_bad(prom_tool: promtool.PromTool) -> None:
    """A clean exposition yields no complaint; a wrong one is named."""
    assert prom_tool.complaints(b"# HELP up_now Up.\n# TYPE up_now gauge\nup_now 1\n") == []
    assert any("bad_total" in line for line in prom_tool.complaints(b"bad_total 1\n"))


def test_samples_are_found_by_some_of_their_labels() -> None:
    """A parsed exposition is added up over the labels that a test does not name."""
    samples = daemon.parse('done{name="a",queue="x"} 1\ndone{name="a",queue="y"} 2\n')

    assert samples["done", frozenset({("name", "a"), ("queue", "x")})] == 1
    assert daemon.total(samples, "done", name="a") == 3
    assert daemon.total(samples, "done", name="b") is None


def test_waiting_says_what_it_waited_for() -> None:
    """A missed deadline names the expectation and shows the last value."""
    with pytest.raises(TimeoutError, match=r"pigs fly: not within 0\.1 s; last seen: 0"):
        deadline.wait_until(lambda: 0, 0.1, "pigs fly")


def test_daemon_is_found_by_its_log_and_scraped(
    redis_server: redis.RedisServer, start_daemon: conftest.StartDaemon
) -> None:
    """The installed command listens on a port of the system's choice and ends when asked."""
    sentinel = start_daemon(redis_server.url)

    scraped = daemon.total(sentinel.scrape(), "celery_sentinel_build_info")
    health = sentinel.get("/-/healthy")
    code = sentinel.stop()

    assert scraped == 1
    assert health.status_code == 200
    assert code == 0
