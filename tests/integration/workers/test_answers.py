"""What a worker is and holds is exposed as it says it, and kept while it says nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers import daemon, deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import redis, server
    from tests.servers.worker import Pool

SECONDS = 60.0


@pytest.mark.parametrize(
    ("pool", "concurrency"), [("prefork", 2), ("threads", 3), ("gevent", 5), ("solo", 1)]
)
def test_each_pool_tells_its_slots_and_queues(
    pool: Pool,
    concurrency: int,
    redis_server: redis.RedisServer,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
) -> None:
    """Concurrency, prefetch count, memory, pool and queues are right, whatever the pool."""
    sentinel = ask_often(redis_server.url)
    start_worker(redis_server.url, pool=pool, concurrency=concurrency, queues=("a", "b"))

    def told() -> dict[str, float | None]:
        samples = sentinel.scrape()
        return {
            "concurrency": daemon.total(samples, "celery_worker_concurrency", hostname="w1@fleet"),
            "prefetch": daemon.total(samples, "celery_worker_prefetch_limit", hostname="w1@fleet"),
            "info": daemon.total(samples, "celery_worker_info", hostname="w1@fleet", pool=pool),
            **{
                f"{what} of {queue}": daemon.total(
                    samples, f"celery_queue_{what}", queue_name=queue
                )
                for queue in ("a", "b")
                for what in ("workers", "worker_slots")
            },
        }

    wanted = {
        "concurrency": concurrency,
        "prefetch": 4 * concurrency,
        "info": 1,
        "workers of a": 1,
        "worker_slots of a": concurrency,
        "workers of b": 1,
        "worker_slots of b": concurrency,
    }
    deadline.wait_until(lambda: told() == wanted, SECONDS, f"w1 tells {wanted}")
    samples = sentinel.scrape()
    memory = daemon.total(samples, "celery_worker_max_rss_bytes", hostname="w1@fleet")
    assert memory is not None
    assert 10 * 1024**2 < memory < 1024**3
    for queue in ("a", "b"):
        assert daemon.total(samples, "celery_queue_info", queue_name=queue, source="inspect") == 1


def test_what_waits_inside_a_worker_is_counted(
    broker: server.Broker,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Tasks prefetched behind a slow one are reserved, tasks with an eta are scheduled."""
    sentinel = ask_often(broker.url)
    start_worker(broker.url, concurrency=1)
    sending = make_producer(broker.url)
    for _ in range(3):
        sending.send("quick", countdown=3600)
    sending.send("slow", 600.0)
    sending.send("quick")
    sending.send("quick")

    def held() -> dict[str, float | None]:
        samples = sentinel.scrape()
        return {
            state: daemon.total(samples, f"celery_worker_tasks_{state}", hostname="w1@fleet")
            for state in ("active", "reserved", "scheduled")
        }

    wanted = {"active": 1.0, "reserved": 2.0, "scheduled": 3.0}
    deadline.wait_until(lambda: held() == wanted, SECONDS, f"w1 holds {wanted}")


def test_a_worker_that_is_slow_to_answer_keeps_what_it_said(
    redis_server: redis.RedisServer,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
) -> None:
    """While it does not answer it is responding 0 and nothing else changes; then it is 1 again."""
    # What it holds is kept for three intervals: long enough for us to look.
    sentinel = ask_often(redis_server.url, polling={"workers": "8s"})
    slow = start_worker(redis_server.url, extra_args=["--heartbeat-interval=30"])

    def said(responding: int) -> dict[str, float | None]:
        """Return what it said; nothing until it is ``responding`` and has said all of it."""
        samples = sentinel.scrape()
        found = _said(samples)
        return found if found["responding"] == responding and None not in found.values() else {}

    before = deadline.wait_until(lambda: said(1), SECONDS, "w1 answers")

    slow.pause()
    meanwhile = deadline.wait_until(lambda: said(0), SECONDS, "w1 does not answer")

    assert meanwhile == {**before, "responding": 0}
    slow.resume()
    assert deadline.wait_until(lambda: said(1), SECONDS, "w1 answers again") == before


def test_two_workers_of_one_name_are_told_of(
    broker: server.Broker,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
) -> None:
    """Two processes that share a node name are named on the landing page."""
    sentinel = ask_often(broker.url)
    # By default RabbitMQ itself refuses the second one.
    shared = {"control_queue_exclusive": False}
    start_worker(broker.url, config=shared)
    start_worker(broker.url, config=shared)

    told = "Two workers call themselves w1@fleet"
    deadline.wait_until(lambda: told in sentinel.get("/").text, SECONDS, "the page says so")
    deadline.wait_until(
        lambda: any(told in note for note in sentinel.get("/api/v1/status").json()["notes"]),
        SECONDS,
        "and the document",
    )


def test_busy_and_free_slots_of_a_queue_add_up_over_its_workers(
    redis_server: redis.RedisServer,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Two workers with 2 and 3 slots and one running task are 5 slots, 1 of them busy."""
    sentinel = ask_often(redis_server.url)
    start_worker(redis_server.url, name="w1", concurrency=2)
    start_worker(redis_server.url, name="w2", concurrency=3)
    make_producer(redis_server.url).send("slow", 600.0)

    def slots() -> tuple[float | None, float | None]:
        samples = sentinel.scrape()
        return (
            daemon.total(samples, "celery_queue_worker_slots", queue_name="celery"),
            daemon.total(samples, "celery_queue_worker_slots_busy", queue_name="celery"),
        )

    deadline.wait_until(lambda: slots() == (5, 1), SECONDS, "1 of 5 slots is busy")


def _said(samples: daemon.Samples) -> dict[str, float | None]:
    # Not its memory, of which a worker may take more with every answer.
    held = ("tasks_reserved", "tasks_scheduled")
    names = ("up", "responding", "concurrency", "prefetch_limit", *held)
    said = {name: daemon.total(samples, f"celery_worker_{name}") for name in names}
    said["workers"] = daemon.total(samples, "celery_queue_workers", queue_name="celery")
    return said
