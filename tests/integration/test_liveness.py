"""A worker that dies is seen, one that leaves is not mourned, and two on a host are two."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers import daemon, deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import redis, server


def test_a_killed_worker_is_down_and_its_neighbour_up(
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
) -> None:
    """Of two workers on one host the one killed with SIGKILL is 0 and lost, the other 1."""
    sentinel = watch(broker.url)
    first = start_worker(broker.url, name="w1")
    start_worker(broker.url, name="w2")
    both = {"w1@fleet": 1.0, "w2@fleet": 1.0}
    deadline.wait_until(lambda: up(sentinel) == both, 60, "both are up")

    first.kill()

    one = {"w1@fleet": 0.0, "w2@fleet": 1.0}
    deadline.wait_until(lambda: up(sentinel) == one, 60, "w1 is down, w2 is up")
    assert daemon.total(sentinel.scrape(), "celery_worker_lost_total") == 1


def test_a_worker_that_says_goodbye_leaves_without_a_zero(
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
) -> None:
    """A worker stopped with SIGTERM leaves the exposition; no scrape ever shows it as 0."""
    sentinel = watch(broker.url)
    leaving = start_worker(broker.url, name="w1")
    start_worker(broker.url, name="w2")
    deadline.wait_until(lambda: len(up(sentinel)) == 2, 60, "both are up")

    leaving.stop()

    seen: list[dict[str, float]] = []

    def gone() -> bool:
        seen.append(up(sentinel))
        return "w1@fleet" not in seen[-1]

    deadline.wait_until(gone, 60, "w1 has left")
    assert all(value == 1 for scrape in seen for value in scrape.values())
    assert daemon.total(sentinel.scrape(), "celery_worker_lost_total") == 0


def test_a_worker_that_finishes_its_task_after_its_goodbye_stays_gone(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """In a warm shutdown the goodbye comes first and the last task ends later; it still counts."""
    sentinel = watch(redis_server.url)
    working = start_worker(redis_server.url)
    make_producer(redis_server.url).send("slow", 5.0)
    deadline.wait_until(lambda: _counted(sentinel, "started") == 1, 60, "the task runs")

    working.stop()

    deadline.wait_until(lambda: _counted(sentinel, "succeeded") == 1, 60, "its end was heard")
    # On a machine that stood still for these seconds the goodbye may be the last that is read.
    deadline.wait_until(lambda: up(sentinel) == {}, 60, "it is gone")
    assert daemon.total(sentinel.scrape(), "celery_worker_lost_total") == 0


def test_what_a_killed_worker_ran_is_lost(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """The task a worker was running when it was killed counts as lost and is in flight no more."""
    sentinel = watch(redis_server.url)
    working = start_worker(redis_server.url)
    make_producer(redis_server.url).send("slow", 60.0)
    deadline.wait_until(lambda: _started(sentinel) == 1, 60, "the task runs")

    working.kill()

    deadline.wait_until(lambda: _lost(sentinel) == 1, 60, "the task is lost")
    running = daemon.total(sentinel.scrape(), "celery_tasks_in_flight", state="started")
    assert running == 0


def test_a_frozen_worker_is_down_and_comes_back(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
) -> None:
    """A worker stopped with SIGSTOP is 0; when it goes on it is 1 again and no restart."""
    sentinel = watch(redis_server.url)
    working = start_worker(redis_server.url)
    deadline.wait_until(
        lambda: daemon.total(sentinel.scrape(), "celery_worker_info", pool="prefork") == 1,
        60,
        "w1 has told its pool, without which it might be solo and at work",
    )

    working.pause()
    deadline.wait_until(lambda: up(sentinel) == {"w1@fleet": 0.0}, 60, "w1 is down")
    working.resume()
    deadline.wait_until(lambda: up(sentinel) == {"w1@fleet": 1.0}, 60, "w1 is up again")

    assert daemon.total(sentinel.scrape(), "celery_worker_restarts_total") == 0


def test_a_restarted_worker_is_a_restart_and_a_killed_one_a_crash(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Under one node name new processes are counted, and processed goes on from before."""
    sentinel = watch(redis_server.url)
    working = start_worker(redis_server.url)
    sending = make_producer(redis_server.url)
    for _ in range(3):
        sending.send("quick")
    deadline.wait_until(lambda: _processed(sentinel) == 3, 60, "three are processed")

    working.restart()
    sending.send("quick")

    deadline.wait_until(lambda: _processed(sentinel) == 4, 60, "four are processed")
    samples = sentinel.scrape()
    assert daemon.total(samples, "celery_worker_restarts_total") == 1
    assert daemon.total(samples, "celery_worker_crashes_total") == 0

    working.kill()
    working.start()

    deadline.wait_until(
        lambda: daemon.total(sentinel.scrape(), "celery_worker_crashes_total") == 1, 60, "a crash"
    )
    assert daemon.total(sentinel.scrape(), "celery_worker_restarts_total") == 2


@pytest.mark.parametrize("pool", ["prefork", "gevent"])
def test_workers_that_send_no_task_events_are_asked_to(
    pool: str,
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """A worker started without -E sends task events soon, and again after its restart."""
    sentinel = watch(redis_server.url)
    working = start_worker(redis_server.url, pool=pool, events=False)
    sending = make_producer(redis_server.url)

    def heard(count: int) -> bool:
        sending.send("quick")
        return int(daemon.total(sentinel.scrape(), "celery_task_succeeded_total") or 0) >= count

    deadline.wait_until(lambda: heard(1), 60, "task events come")
    before = int(daemon.total(sentinel.scrape(), "celery_task_succeeded_total") or 0)
    working.restart()
    deadline.wait_until(lambda: heard(before + 3), 60, "task events come after the restart")


def test_a_worker_without_task_events_is_said_to_be(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """With events.enable off a worker without -E shows as such in metrics and on the page."""
    sentinel = watch(redis_server.url, config="events: {enable: false}\n")
    start_worker(redis_server.url, events=False)
    sending = make_producer(redis_server.url)

    def disabled() -> bool:
        sending.send("quick")
        samples = sentinel.scrape()
        return daemon.total(samples, "celery_worker_events_enabled", hostname="w1@fleet") == 0

    deadline.wait_until(disabled, 60, "the worker is known to send no task events")
    assert "w1@fleet runs tasks but sends no task events" in sentinel.get("/").text


def up(sentinel: daemon.Daemon) -> dict[str, float]:
    """Return ``celery_worker_up`` by node name."""
    return {
        dict(labels)["hostname"]: value
        for (name, labels), value in sentinel.scrape().items()
        if name == "celery_worker_up"
    }


def _started(sentinel: daemon.Daemon) -> float | None:
    return daemon.total(sentinel.scrape(), "celery_tasks_in_flight", state="started")


def _counted(sentinel: daemon.Daemon, outcome: str) -> float | None:
    return daemon.total(sentinel.scrape(), f"celery_task_{outcome}_total", name="slow")


def _lost(sentinel: daemon.Daemon) -> float | None:
    return daemon.total(sentinel.scrape(), "celery_task_lost_total", reason="worker_lost")


def _processed(sentinel: daemon.Daemon) -> float | None:
    return daemon.total(sentinel.scrape(), "celery_worker_tasks_processed_total")
