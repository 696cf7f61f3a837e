"""How a worker ends, and what is said of it and of its tasks then; and one that is held back."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.servers import daemon, deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import redis, server, worker

SECONDS = 90.0


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_what_runs_at_a_goodbye_that_nothing_follows_is_lost(
    broker: server.Broker,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
    pool: worker.Pool,
) -> None:
    """Its supervisor has killed it, and its successor has another name."""
    sentinel = ask_often(broker.url, workers={"shutdown_timeout": "20s"})
    leaving = start_worker(broker.url, pool=pool)
    for _ in range(2):
        make_producer(broker.url).send("slow", 600.0)
    deadline.wait_until(lambda: _value(sentinel, "celery_task_started_total") == 2, SECONDS, "run")

    os.kill(leaving.pid, signal.SIGTERM)
    deadline.wait_until(lambda: _value(sentinel, "celery_worker_up") is None, SECONDS, "it left")
    leaving.kill()
    start_worker(broker.url, name="w2", pool=pool)

    deadline.wait_until(lambda: _lost(sentinel) == 2, SECONDS, "both are lost")
    running = daemon.total(sentinel.scrape(), "celery_tasks_in_flight", state="started")
    assert running == 0
    assert _value(sentinel, "celery_worker_lost_total") == 0


def test_a_warm_shutdown_that_lasts_loses_nothing(
    broker: server.Broker,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Its last task ends after its goodbye, within what its supervisor gives it."""
    sentinel = ask_often(broker.url, workers={"shutdown_timeout": "60s"})
    leaving = start_worker(broker.url)
    make_producer(broker.url).send("slow", 20.0)
    deadline.wait_until(lambda: _value(sentinel, "celery_task_started_total") == 1, SECONDS, "runs")

    assert leaving.stop() == 0

    ended = "celery_task_succeeded_total"
    deadline.wait_until(lambda: _value(sentinel, ended) == 1, SECONDS, "its end was heard")
    assert _lost(sentinel) is None


@pytest.mark.parametrize("neighbours", [0, 1])
def test_a_crash_loop_of_an_idle_container_is_told(
    redis_server: redis.RedisServer,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    neighbours: int,
) -> None:
    """One node name, process 1 each time, killed before it has done anything."""
    sentinel = ask_often(redis_server.url)
    for number in range(neighbours):
        start_worker(redis_server.url, name=f"n{number}")
    crashing = start_worker(redis_server.url, contained=True)
    for life in range(4):
        wanted = {"restarts": float(life), "crashes": float(life), "up": 1.0}
        deadline.wait_until(lambda: _lives(sentinel) == wanted, SECONDS, f"life {life}")  # noqa: B023
        crashing.kill()
        crashing.start()
    deadline.wait_until(lambda: _lives(sentinel)["crashes"] == 4, SECONDS, "the fourth crash")


def test_a_worker_that_loses_its_connections_has_not_restarted(
    redis_server: redis.RedisServer,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
) -> None:
    """It says goodbye and hello again, as the process it was."""
    sentinel = ask_often(redis_server.url)
    working = start_worker(redis_server.url, contained=True)
    deadline.wait_until(lambda: _lives(sentinel)["up"] == 1, SECONDS, "it is up")

    with redis_server.client() as client:
        for one in client.client_list():
            if one.get("name") != "celery-sentinel" and one["cmd"] != "client|list":
                client.client_kill_filter(_id=one["id"])
    told = "Connection to broker lost"
    deadline.wait_until(lambda: told in working.process.log_text(), SECONDS, "it has lost them")
    deadline.wait_until(
        lambda: working.process.log_text().count("mingle: searching") == 2, SECONDS, "it is back"
    )

    deadline.wait_until(lambda: _lives(sentinel)["up"] == 1, SECONDS, "it is up again")
    assert _lives(sentinel) == {"restarts": 0, "crashes": 0, "up": 1}


@pytest.mark.timeout(300)
def test_a_queue_whose_task_has_a_rate_limit_is_not_stuck(
    redis_server: redis.RedisServer,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """A task starts every ten seconds: slots are free and messages lie there, and all is well."""
    sentinel = ask_often(redis_server.url, workers={"wedged_after": "30s"})
    start_worker(redis_server.url, config={"task_annotations": {"quick": {"rate_limit": "6/m"}}})
    sending = make_producer(redis_server.url)
    for _ in range(60):
        sending.send("quick")

    seen: set[float | None] = set()

    def old_enough() -> bool:
        seen.add(_value(sentinel, "celery_worker_wedged"))
        (queue,) = sentinel.get("/api/v1/status").json()["queues"]
        return (queue["oldest_message_seconds"] or 0) > 75

    deadline.wait_until(old_enough, 150, "messages have lain there for more than a minute")

    page = sentinel.get("/", headers={"Accept": "text/html"}).text
    assert "moving" in page
    assert "messages lie there" not in page
    assert seen <= {None, 0.0}


def _value(sentinel: daemon.Daemon, name: str) -> float | None:
    return daemon.total(sentinel.scrape(), name)


def _lost(sentinel: daemon.Daemon) -> float | None:
    return daemon.total(sentinel.scrape(), "celery_task_lost_total", reason="worker_left")


def _lives(sentinel: daemon.Daemon) -> dict[str, float | None]:
    samples = sentinel.scrape()
    return {
        name: daemon.total(samples, metric, hostname="w1@fleet")
        for name, metric in {
            "restarts": "celery_worker_restarts_total",
            "crashes": "celery_worker_crashes_total",
            "up": "celery_worker_up",
        }.items()
    }
