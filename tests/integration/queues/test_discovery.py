"""Queues are found by every way there is, those of machinery are left out, the unused leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.brokers.redis import queues as redis_queues
from tests.integration.queues import look

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import daemon, redis, server

INFO = "celery_queue_info"


def test_each_source_is_told(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """A queue is known from the config, a worker, kombu's bindings and a task-sent event."""
    start_worker(redis_server.url, queues=["reports"])
    sentinel = watch(redis_server.url, queues={"watch": ["emails"], "dead_letter": ["dead"]})
    make_producer(redis_server.url).send("quick", queue="misspelt")

    def sources(queue: str) -> set[str]:
        return {
            dict(labels)["source"]
            for (name, labels) in sentinel.scrape()
            if name == INFO and dict(labels)["queue_name"] == queue
        }

    look.eventually(lambda: "config" in sources("emails"), "from the config")
    look.eventually(lambda: sources("reports") >= {"inspect", "binding"}, "from the worker")
    look.eventually(lambda: "event" in sources("misspelt"), "from the event")
    assert look.value(sentinel, INFO, queue_name="dead", role="dead_letter") == 1


def test_machinery_is_left_out(
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """With gossip, mingle, remote control and inspection at work only real queues are known."""
    sentinel = watch(broker.url, queues={"ignore": []})
    for name in ("w1", "w2"):
        start_worker(broker.url, name=name, queues=["celery", "reports"])
    sending = make_producer(broker.url)
    sending.send("quick")
    answers = sending.app.control.inspect(timeout=look.WITHIN, limit=2).active_queues()
    assert len(answers or {}) == 2

    def names() -> set[str]:
        return look.labels_of(sentinel, INFO, "queue_name")

    look.eventually(lambda: names() >= {"celery", "reports"}, "both are known")
    look.polled(sentinel, times=15)  # with a look at the bindings among them
    assert names() == {"celery", "reports"}


def test_keys_are_scanned_never_listed(
    redis_server: redis.RedisServer,
    closing: contextlib.ExitStack,
    start_worker: conftest.StartWorker,
) -> None:
    """Among 50,000 results the bindings are found by SCAN, a portion of the keys at a time."""
    client = closing.enter_context(redis_server.client())
    client.mset({f"celery-task-meta-{n}": "x" for n in range(50_000)})
    client.set("_kombu.binding.foreign", "no set")
    start_worker(redis_server.url, queues=["reports"])
    reader = redis_queues.RedisQueues(look.config_of(redis_server.url))
    closing.callback(reader.close)

    before = client.info("commandstats").get("cmdstat_scan", {"calls": 0})["calls"]
    looks = [set(reader.discover()) for _ in range(4)]
    commands = client.info("commandstats")

    assert set.union(*looks) == {("reports", "binding")}
    assert "cmdstat_keys" not in commands
    most = redis_queues.SCANS_A_LOOK
    assert most < commands["cmdstat_scan"]["calls"] - before <= 4 * most


def test_a_queue_nobody_mentions_leaves(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    make_producer: conftest.MakeProducer,
) -> None:
    """After queues.forget_after an event's queue is gone; one of the config stays for ever."""
    sentinel = watch(redis_server.url, queues={"watch": ["emails"], "forget_after": "3s"})
    sending = make_producer(redis_server.url)

    def known() -> bool:
        sending.send("quick", queue="once")  # else it might have left before we look
        return bool(look.length(sentinel, "once"))

    look.eventually(known, "it is known")

    def names() -> set[str]:
        return look.labels_of(sentinel, INFO, "queue_name")

    look.eventually(lambda: names() == {"emails"}, "it has left")
    assert look.length(sentinel, "once") is None
    look.becomes(sentinel, 0, "celery_queue_length", queue_name="emails")
