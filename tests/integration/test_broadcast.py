"""A task that is broadcast counts once for each worker, under one queue, on every broker."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tests.servers import daemon, deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import server

PRODUCER = """
import sys
from tests.servers import app
fleet = app.create({
    "broker_url": sys.argv[1],
    "task_send_sent_event": sys.argv[2] == "announced",
    "broadcast": "bc",
})
fleet.loader.import_default_modules()
# Celery declares no exchange of a Broadcast; without it Redis would take it for a direct one.
declare = [fleet.amqp.queues["bc"].exchange]
for number in range(5):
    fleet.tasks["quick"].apply_async((number,), queue="bc", declare=declare)
fleet.close()
"""
OUTCOMES = ("received", "started", "succeeded", "redelivered")


def send(broker_url: str, *, announced: bool) -> None:
    """Let a producer of its own process, with a queue name of its own, call five tasks."""
    told = "announced" if announced else "silent"
    subprocess.run([sys.executable, "-c", PRODUCER, broker_url, told], check=True, timeout=60)


def counted(samples: daemon.Samples) -> dict[tuple[str, str], float]:
    """Return the counts of the task by outcome and queue; what is 0 is left out."""
    return {
        (outcome, dict(labels)["queue_name"]): value
        for (metric, labels), value in samples.items()
        for outcome in OUTCOMES
        if metric == f"celery_task_{outcome}_total" and value
    }


def test_a_broadcast_task_counts_once_for_each_worker(
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
) -> None:
    """Fifteen calls of three producers are thirty runs of two workers, and no redelivery."""
    sentinel = watch(broker.url)
    for name in ("w1", "w2"):
        start_worker(broker.url, name=name, config={"broadcast": "bc"}, queues=("bc",))
    for _ in range(3):
        send(broker.url, announced=True)
    want = {(outcome, "bcast"): 30.0 for outcome in ("received", "started", "succeeded")}
    _wait_counted(sentinel, want)
    samples = sentinel.scrape()
    assert not daemon.total(samples, "celery_tasks_in_flight")
    names = {
        dict(labels)["queue_name"]
        for (metric, labels) in samples
        if metric.startswith("celery_queue_") and "queue_name" in dict(labels)
    }
    assert names <= {"bcast", "celery"}
    assert daemon.total(samples, "celery_queue_length", queue_name="bcast") is None


def test_a_worker_that_dies_loses_its_copy_alone(
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Of a broadcast that runs on two workers one copy is lost, and the other ends."""
    sentinel = watch(broker.url)
    first = start_worker(broker.url, name="w1", config={"broadcast": "bc"}, queues=("bc",))
    start_worker(broker.url, name="w2", config={"broadcast": "bc"}, queues=("bc",))
    sending = make_producer(broker.url, config={"broadcast": "bc"})
    exchange = sending.app.amqp.queues["bc"].exchange
    sending.send("slow", 25.0, queue="bc", declare=[exchange])
    deadline.wait_until(
        lambda: daemon.total(sentinel.scrape(), "celery_tasks_in_flight", state="started") == 2,
        60,
        "both copies run",
    )
    first.kill()
    deadline.wait_until(
        lambda: daemon.total(sentinel.scrape(), "celery_task_lost_total") == 1, 60, "one is lost"
    )
    deadline.wait_until(
        lambda: daemon.total(sentinel.scrape(), "celery_task_succeeded_total") == 1,
        60,
        "the other has ended",
    )
    samples = sentinel.scrape()
    assert daemon.total(samples, "celery_task_lost_total") == 1
    assert not daemon.total(samples, "celery_tasks_in_flight")


def _wait_counted(sentinel: daemon.Daemon, want: dict[tuple[str, str], float]) -> None:
    seen: dict[tuple[str, str], float] = {}

    def equal() -> bool:
        seen.clear()
        seen.update(counted(sentinel.scrape()))
        return seen == want

    try:
        deadline.wait_until(equal, 60, "the counts equal the truth")
    except TimeoutError:
        assert seen == want
