"""A limit that strangers or the dead have filled has room for what lives."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

from tests.integration import hostile
from tests.servers import daemon, deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import rabbitmq, redis

SECONDS = 90.0
NAMES = 2000  # the default limit
SHORT = {"tasks": {"ttl": "3s", "grace": "2s"}, "metrics": {"zero_born_hold": "0s"}}
POLLS = {"queues": "0.5s", "workers": "2s", "timeout": "1s"}


def test_forged_names_do_not_hide_a_real_task(
    broker: redis.RedisServer | rabbitmq.RabbitServer,
    watch: Callable[..., daemon.Daemon],
    publisher: hostile.Publisher,
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """2,000 names of 400 kB are gone when a real task needs one, before a restart and after it."""
    config = {**SHORT, "state": {"file": "state"}}
    sentinel = watch(broker.url, config=json.dumps(config))
    for start in range(0, NAMES, 500):
        forged = [
            hostile.event("task-received", uuid=str(uuid.uuid4()), name=f"forged.{number}")
            for number in range(start, start + 500)
        ]
        publisher.publish(hostile.batch(*forged))
    deadline.wait_until(
        lambda: daemon.total(sentinel.scrape(), "celery_task_received_total") == NAMES,
        SECONDS,
        "all names are taken",
    )
    start_worker(broker.url)
    sending = make_producer(broker.url)

    def seen(name: str, *arguments: float) -> bool:
        sending.send(name, *arguments)
        found = daemon.total(sentinel.scrape(), "celery_task_succeeded_total", name=name)
        return bool(found)

    deadline.wait_until(lambda: seen("quick"), SECONDS, "the task has its name")
    forgotten = daemon.total(
        sentinel.scrape(), "celery_sentinel_label_forgotten_total", label="name"
    )
    assert forgotten is not None
    assert forgotten >= 1
    sentinel.stop()
    sentinel.start()
    deadline.wait_until(lambda: seen("slow", 0.01), SECONDS, "so has the next after a restart")


def test_dead_workers_do_not_hide_one_that_lives(
    broker: redis.RedisServer | rabbitmq.RabbitServer,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
) -> None:
    """Pods rotate: one was killed, one lives, and the third has a series."""
    limits = {"limits": {"workers": 2}, "zero_born_hold": "0s"}
    sentinel = watch(broker.url, config=json.dumps({"metrics": limits, "polling": POLLS}))
    killed = start_worker(broker.url, name="w1")
    start_worker(broker.url, name="w2")
    _wait_for_workers(sentinel, {"w1@fleet": 1, "w2@fleet": 1})
    killed.kill()
    _wait_for_workers(sentinel, {"w1@fleet": 0, "w2@fleet": 1})
    start_worker(broker.url, name="w3")
    _wait_for_workers(sentinel, {"w2@fleet": 1, "w3@fleet": 1})
    assert daemon.total(sentinel.scrape(), "celery_worker_lost_total") == 1


def test_names_of_queues_that_are_gone_do_not_hide_one_that_is_consumed(
    broker: redis.RedisServer | rabbitmq.RabbitServer,
    watch: Callable[..., daemon.Daemon],
    publisher: hostile.Publisher,
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """A queue with messages and a consumer has its length."""
    limits = {"limits": {"queues": 3}, "zero_born_hold": "0s"}
    sentinel = watch(broker.url, config=json.dumps({"metrics": limits, "polling": POLLS}))
    gone = [
        hostile.event("task-sent", uuid=str(number), name="a", queue=f"gone.{number}")
        for number in range(5)
    ]
    publisher.publish(hostile.batch(*gone))
    deadline.wait_until(lambda: len(_queues(sentinel)) == 3, SECONDS, "all places are taken")
    start_worker(broker.url, queues=("lively",), concurrency=1)
    sending = make_producer(broker.url)
    for _ in range(9):
        sending.send("slow", 600.0, queue="lively")

    def length() -> float | None:
        return daemon.total(sentinel.scrape(), "celery_queue_length", queue_name="lively")

    deadline.wait_until(lambda: (length() or 0) > 0, SECONDS, "the queue has a length")
    assert len(_queues(sentinel)) == 3


def _wait_for_workers(sentinel: daemon.Daemon, wanted: dict[str, int]) -> None:
    def told() -> dict[str, float]:
        return {
            dict(labels)["hostname"]: value
            for (name, labels), value in sentinel.scrape().items()
            if name == "celery_worker_up"
        }

    deadline.wait_until(lambda: told() == wanted, SECONDS, f"the workers are {wanted}")


def _queues(sentinel: daemon.Daemon) -> set[str]:
    return {
        dict(labels)["queue_name"]
        for name, labels in sentinel.scrape()
        if name == "celery_queue_info"
    }
