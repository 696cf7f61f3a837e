"""What runs is what the workers say they run, whatever became of the events."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

from tests.servers import daemon, deadline

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import producer, redis, server

SECONDS = 60.0


def test_a_task_that_ran_before_the_daemon_started_is_known_by_name(
    broker: server.Broker,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
    tmp_path: pathlib.Path,
) -> None:
    """Its start, name and queue come from its worker, and its end counts where it belongs."""
    running = start_worker(broker.url)
    before = time.time()
    end = tmp_path / "end"
    make_producer(broker.url).send("patient", str(end))
    deadline.wait_until(lambda: running.truth.outcomes()["started"] == 1, SECONDS, "the task runs")

    sentinel = ask_often(broker.url)

    def started() -> float:
        samples = sentinel.scrape()
        metric = "celery_task_oldest_started_timestamp_seconds"
        return daemon.total(samples, metric, name="patient", queue_name="celery") or 0.0

    at = deadline.wait_until(started, SECONDS, "the running task is known")
    assert before - 1 <= at <= time.time()
    end.touch()
    deadline.wait_until(lambda: _succeeded(sentinel) == 1, SECONDS, "its end is counted")
    deadline.wait_until(lambda: not _running(sentinel), SECONDS, "it runs no more")


def test_a_lost_closing_event_leaves_no_ghost(
    redis_server: redis.RedisServer,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """A task whose end nobody heard leaves; the one its worker still runs beside it stays."""
    sentinel = ask_often(redis_server.url)
    start_worker(redis_server.url)
    sending = make_producer(redis_server.url)
    sending.send("slow", 600.0)
    deadline.wait_until(lambda: _running(sentinel) == 1, SECONDS, "one task runs")

    _pretend(sending, "task-received", "task-started")

    # What is counted stays, while the ghost itself may come and go unseen.
    def begun() -> float | None:
        return daemon.total(sentinel.scrape(), "celery_task_started_total", name="ghost")

    deadline.wait_until(lambda: begun() == 1, SECONDS, "another seems to run")
    deadline.wait_until(lambda: _running(sentinel) == 1, SECONDS, "the ghost has left")
    samples = sentinel.scrape()
    assert daemon.total(samples, "celery_tasks_in_flight", name="slow", state="started") == 1
    assert daemon.total(samples, "celery_task_lost_total") in {None, 0}


def test_a_task_that_runs_longer_than_its_record_lives_is_never_dropped(
    redis_server: redis.RedisServer,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """While its worker says it runs, tasks.ttl does not apply to it."""
    sentinel = ask_often(redis_server.url, tasks={"ttl": "12s"}, polling={"workers": "1s"})
    start_worker(redis_server.url)
    sending = make_producer(redis_server.url)
    sending.send("slow", 600.0)
    deadline.wait_until(lambda: _running(sentinel) == 1, SECONDS, "the task runs")
    sending.send("quick", queue="nobody's")
    seen: set[float | None] = set()

    def outlived() -> bool:
        samples = sentinel.scrape()
        seen.add(daemon.total(samples, "celery_tasks_in_flight", state="started"))
        return daemon.total(samples, "celery_sentinel_tracker_evictions_total", reason="ttl") == 1

    deadline.wait_until(outlived, SECONDS, "the task behind it, which nobody runs, was dropped")
    assert seen == {1.0}
    assert daemon.total(sentinel.scrape(), "celery_task_lost_total") in {None, 0}


def test_the_queue_of_a_task_is_that_of_a_worker_with_one_queue(
    redis_server: redis.RedisServer,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Without task-sent events a worker that consumes one queue tells that queue."""
    sentinel = ask_often(redis_server.url)
    start_worker(redis_server.url, queues=("emails",))
    deadline.wait_until(lambda: _consumed(sentinel) == {"emails"}, SECONDS, "its queue is known")

    make_producer(redis_server.url, sent_events=False).send("quick", queue="emails")

    deadline.wait_until(lambda: _received(sentinel) == {"emails": 1}, SECONDS, "it is of emails")


def test_the_queue_of_a_task_is_unknown_until_it_is_learnt(
    redis_server: redis.RedisServer,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """With two queues to choose from nothing is guessed, until a task-sent event tells."""
    sentinel = ask_often(redis_server.url)
    running = start_worker(redis_server.url, queues=("celery", "emails"))
    both = {"celery", "emails"}
    deadline.wait_until(lambda: _consumed(sentinel) == both, SECONDS, "its queues are known")
    silent = make_producer(redis_server.url, sent_events=False)

    silent.send("quick", queue="emails")
    deadline.wait_until(lambda: _received(sentinel) == {"unknown": 1}, SECONDS, "it is of unknown")
    # A producer writes the event after the task: a worker awake might take it up in between.
    running.pause()
    make_producer(redis_server.url, sent_events=True).send("quick", queue="emails")
    silent.send("quick", queue="emails")
    running.resume()

    expected = {"unknown": 1, "emails": 2}
    deadline.wait_until(lambda: _received(sentinel) == expected, SECONDS, "both are of emails")


def _pretend(sending: producer.Producer, *types: str) -> None:
    """Send events in the name of w1@fleet for a task that does not exist."""
    task_id = str(uuid.uuid4())
    with (
        sending.app.connection_for_write() as connection,
        sending.app.events.Dispatcher(connection, hostname="w1@fleet") as dispatcher,
    ):
        for kind in types:
            dispatcher.send(kind, uuid=task_id, name="ghost", args="()", kwargs="{}", retries=0)


def _running(sentinel: daemon.Daemon) -> float | None:
    return daemon.total(sentinel.scrape(), "celery_tasks_in_flight", state="started")


def _succeeded(sentinel: daemon.Daemon) -> float | None:
    return daemon.total(
        sentinel.scrape(), "celery_task_succeeded_total", name="patient", queue_name="celery"
    )


def _received(sentinel: daemon.Daemon) -> dict[str, float]:
    return _by_queue(sentinel, "celery_task_received_total", {})


def _consumed(sentinel: daemon.Daemon) -> set[str]:
    return set(_by_queue(sentinel, "celery_queue_info", {"source": "inspect"}))


def _by_queue(sentinel: daemon.Daemon, metric: str, labels: dict[str, str]) -> dict[str, float]:
    return {
        dict(found)["queue_name"]: value
        for (name, found), value in sentinel.scrape().items()
        if name == metric and labels.items() <= found
    }
