"""Tasks that were purged or have expired are in flight no more, on every broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers import daemon, deadline

if TYPE_CHECKING:
    from tests import conftest
    from tests.servers import server

CONFIG = "metrics: {zero_born_hold: 0s}\npolling: {queues: 1s}\n"
TASKS = 20


def in_flight(sentinel: daemon.Daemon) -> float:
    """Return how many tasks are in flight in any state."""
    return daemon.total(sentinel.scrape(), "celery_tasks_in_flight") or 0


@pytest.mark.parametrize("worked", [False, True])
def test_purged_tasks_leave_the_tasks_in_flight(
    broker: server.Broker,
    start_daemon: conftest.StartDaemon,
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
    worked: bool,
) -> None:
    """Whether or not a worker is there by then; one that starts later runs none of them."""
    sentinel = start_daemon(broker.url, config=CONFIG)
    deadline.wait_until(lambda: daemon.total(sentinel.scrape(), "celery_broker_up"), 60, "heard")
    sending = make_producer(broker.url)
    for number in range(TASKS):
        sending.send("quick", number)
    deadline.wait_until(lambda: in_flight(sentinel) == TASKS, 60, "all are on their way")
    assert sending.app.control.purge() == TASKS
    if worked:
        start_worker(broker.url)
    deadline.wait_until(lambda: not in_flight(sentinel), 60, "none is on its way")
    assert not daemon.total(sentinel.scrape(), "celery_task_lost_total")


def test_expired_tasks_leave_the_tasks_in_flight(
    broker: server.Broker,
    start_daemon: conftest.StartDaemon,
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """RabbitMQ drops them without an event; what Redis still has a worker revokes, and says so."""
    sentinel = start_daemon(broker.url, config=CONFIG)
    deadline.wait_until(lambda: daemon.total(sentinel.scrape(), "celery_broker_up"), 60, "heard")
    sending = make_producer(broker.url)
    for number in range(TASKS):
        sending.send("quick", number, expires=3)
    sending.send("quick", TASKS)
    deadline.wait_until(lambda: in_flight(sentinel) == TASKS + 1, 60, "all are on their way")
    deadline.wait_until(lambda: in_flight(sentinel) == 1, 60, "one is on its way")
    start_worker(broker.url)
    deadline.wait_until(lambda: not in_flight(sentinel), 60, "that has run")
    samples = sentinel.scrape()
    assert daemon.total(samples, "celery_task_succeeded_total") == 1
    assert daemon.total(samples, "celery_task_revoked_total") in {None, 0, TASKS}
    assert not daemon.total(samples, "celery_task_lost_total")


def test_tasks_that_wait_stay_in_flight(
    broker: server.Broker,
    start_daemon: conftest.StartDaemon,
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Tasks behind a slow one, and one that waits for its eta in a worker, are on their way."""
    sentinel = start_daemon(broker.url, config=CONFIG)
    deadline.wait_until(lambda: daemon.total(sentinel.scrape(), "celery_broker_up"), 60, "heard")
    start_worker(broker.url, concurrency=1, config={"worker_prefetch_multiplier": 1})
    sending = make_producer(broker.url)
    sending.send("quick", countdown=3600)
    sending.send("slow", 12.0)
    for number in range(TASKS):
        sending.send("quick", number)
    deadline.wait_until(lambda: in_flight(sentinel) == TASKS + 2, 60, "all are on their way")
    least = TASKS + 2.0

    def only_one_is_left() -> bool:
        nonlocal least
        samples = sentinel.scrape()
        done = daemon.total(samples, "celery_task_succeeded_total") or 0
        left = daemon.total(samples, "celery_tasks_in_flight") or 0
        if not done:
            least = min(least, left)
        return left == 1

    deadline.wait_until(only_one_is_left, 60, "all but the one with an eta have run")
    assert least == TASKS + 2
