"""Depths on Redis are right whatever kombu's options, the names and the keys beside them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from celery_sentinel import errors
from celery_sentinel.brokers.redis import queues as redis_queues
from tests.integration.queues import look

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import daemon, redis

ODD_NAMES = (
    'quo"ted',
    "it's",
    "two\nlines",
    "back\\slash",
    "sp ace\ttab",
    "{curly}",
    "glob*?[a]",
    "\x01\x7f",
    "żółw-🐢",
    "x" * 200,
)
MEGABYTE = 1_000_000


def test_ten_priorities_are_ten_messages(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    make_producer: conftest.MakeProducer,
) -> None:
    """Of tasks with priorities 0 to 9 all ten are counted; the plain list holds but three."""
    sentinel = watch(redis_server.url, queues={"watch": ["shop"]})
    sending = make_producer(redis_server.url)
    for priority in range(10):
        sending.send("quick", queue="shop", priority=priority)

    look.eventually(lambda: look.length(sentinel, "shop") == 10, "ten are counted")
    for priority, expected in {"0": 3, "3": 3, "6": 3, "9": 1}.items():
        labels = {"queue_name": "shop", "priority": priority}
        look.becomes(sentinel, expected, "celery_queue_priority_length", **labels)
    with redis_server.client() as client:
        assert client.llen("shop") == 3  # what is seen without looking at the other lists


@pytest.mark.parametrize(
    "options",
    [
        {"priority_steps": list(range(10))},
        {"priority_steps": [0, 5], "sep": ":"},
        {"global_keyprefix": "shop:"},
        {"global_keyprefix": "[s]*:", "sep": "/", "priority_steps": [0, 1, 2]},
    ],
    ids=["steps", "separator", "prefix", "all"],
)
def test_transport_options_are_followed(
    options: dict[str, Any],
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Where kombu's options move the lists and bindings we follow, on database 3."""
    url = redis_server.url_for(3)
    config = {"broker_transport_options": options}
    start_worker(url, config=config, queues=["busy"])
    sentinel = watch(url, broker={"transport_options": options}, queues={"watch": ["shop"]})
    sending = make_producer(url, config=config)
    for priority in range(10):
        sending.send("quick", queue="shop", priority=priority)
    sending.send("quick", queue="busy", countdown=600)

    look.eventually(lambda: look.length(sentinel, "shop") == 10, "ten are counted")
    look.eventually(
        lambda: look.value(sentinel, "celery_broker_unacked_messages") == 1, "one is held"
    )
    bound = {"queue_name": "busy", "source": "binding"}
    look.eventually(lambda: look.value(sentinel, "celery_queue_info", **bound), "it is bound")


def test_steps_that_nobody_named(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    make_producer: conftest.MakeProducer,
) -> None:
    """The application has more steps than four, and we were not told: all ten are counted."""
    config = {"broker_transport_options": {"priority_steps": list(range(10))}}
    sending = make_producer(redis_server.url, config=config)
    for priority in range(10):
        sending.send("quick", queue="shop", priority=priority)
    sentinel = watch(redis_server.url, queues={"watch": ["shop", "other"]})

    look.eventually(lambda: look.length(sentinel, "shop") == 10, "ten are counted")
    sending.send("quick", queue="shop", priority=5)
    look.eventually(lambda: look.length(sentinel, "shop") == 11, "with each poll from then on")
    labels = {"queue_name": "shop", "priority": "5"}
    look.becomes(sentinel, 2, "celery_queue_priority_length", **labels)


def test_keys_of_another_type_harm_nobody(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    make_producer: conftest.MakeProducer,
) -> None:
    """A string or a hash under a queue's name has no length; all other queues have theirs."""
    names = ["text", "table", "shop", "empty"]
    sentinel = watch(redis_server.url, queues={"watch": names})
    with redis_server.client() as client:
        client.set("text", "no list")
        client.hset("table", "no", "list")
    make_producer(redis_server.url).send("quick", queue="shop")

    look.eventually(lambda: look.length(sentinel, "shop") == 1, "the list is counted")
    look.polled(sentinel)
    expected = {"shop": 1, "empty": 0}
    look.eventually(lambda: look.lengths(sentinel) == expected, "only lists have lengths")
    look.becomes(sentinel, 1, "celery_sentinel_poll_success", poller="queues")


def test_a_queue_without_a_consumer_is_seen(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Forty messages that nobody will ever take are seen, with 0 consumers, unconfigured."""
    sentinel = watch(redis_server.url)
    start_worker(redis_server.url, queues=["celery"])
    sending = make_producer(redis_server.url)
    for _ in range(40):
        sending.send("quick", queue="misspelt")

    def found() -> list[float | None]:
        length = look.length(sentinel, "misspelt")
        consumers = ("celery_queue_consumers", "celery_queue_workers")
        return [length, *(look.value(sentinel, n, queue_name="misspelt") for n in consumers)]

    look.eventually(lambda: found() == [40, 0, 0], "forty, and nobody to take them")


def test_tasks_that_wait_for_their_eta_are_unacked(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Tasks a worker holds until their eta left the queue, and show with their oldest time."""
    sentinel = watch(redis_server.url)
    start_worker(redis_server.url)
    sending = make_producer(redis_server.url)
    begun = time.time()
    for _ in range(5):
        sending.send("quick", countdown=600)

    look.becomes(sentinel, 5, "celery_broker_unacked_messages")
    name = "celery_broker_oldest_unacked_timestamp_seconds"
    oldest = look.eventually(lambda: look.value(sentinel, name), "the oldest is told")
    assert oldest is not None
    assert begun - 1 < oldest < time.time() + 1
    look.becomes(sentinel, 0, "celery_queue_length", queue_name="celery")


def test_the_round_trip_is_told(
    redis_server: redis.RedisServer, watch: Callable[..., daemon.Daemon]
) -> None:
    """The time of a PING is exposed, and is some fraction of a second on loopback."""
    sentinel = watch(redis_server.url)
    name = "celery_broker_round_trip_seconds"
    look.eventually(lambda: 0 < (look.value(sentinel, name) or 0) < 1, "it is told")


def test_five_thousand_queues_are_one_pipeline(
    redis_server: redis.RedisServer, closing: contextlib.ExitStack
) -> None:
    """All are asked without waiting between them: Redis reads many questions at a time."""
    names = [f"queue{n}" for n in range(5000)]
    client = closing.enter_context(redis_server.client())
    with client.pipeline() as pipeline:
        for n, name in enumerate(names):
            pipeline.lpush(name, *["x"] * (n % 3 + 1))
        pipeline.execute()
    reader = redis_queues.RedisQueues(look.config_of(redis_server.url))
    closing.callback(reader.close)
    reader.read(["queue0"])

    before = client.info("all")
    found = reader.read(names)
    after = client.info("all")

    assert [found.queues[name].length for name in names] == [n % 3 + 1 for n in range(5000)]
    lists = "cmdstat_llen"
    assert after[lists]["calls"] - before[lists]["calls"] == 4 * 5000
    # A read of a socket that brings one question would be 25,000 of them.
    assert after["total_reads_processed"] - before["total_reads_processed"] < 2500


def test_names_of_any_bytes(
    redis_server: redis.RedisServer, watch: Callable[..., daemon.Daemon]
) -> None:
    """Quotes, line breaks, globs, emoji and 200 characters survive into labels and out again."""
    with redis_server.client() as client:
        for n, name in enumerate(ODD_NAMES):
            client.lpush(name, *["x"] * (n + 1))
    sentinel = watch(redis_server.url, queues={"watch": list(ODD_NAMES)})

    expected = {name: n + 1 for n, name in enumerate(ODD_NAMES)}
    look.eventually(lambda: look.lengths(sentinel) == expected, "all are counted")


@pytest.mark.parametrize("name", ["a\0b", "y" * 300], ids=["NUL", "long"])
def test_a_name_no_label_can_hold_has_no_length(
    name: str,
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    make_producer: conftest.MakeProducer,
) -> None:
    """Of a queue whose name had to be altered the depth is unknown, not that of another key."""
    sentinel = watch(redis_server.url, queues={"watch": ["plain"]})
    make_producer(redis_server.url).send("quick", queue=name)

    look.eventually(
        lambda: len(look.labels_of(sentinel, "celery_queue_info", "queue_name")) > 1, "it is known"
    )
    look.polled(sentinel)
    look.eventually(lambda: look.lengths(sentinel) == {"plain": 0}, "it has no length")


def test_a_large_message_costs_only_its_end(
    redis_server: redis.RedisServer,
    closing: contextlib.ExitStack,
    make_producer: conftest.MakeProducer,
) -> None:
    """Of a megabyte at the tail a few kilobytes travel, and the task's id is among them."""
    sent = make_producer(redis_server.url).send("quick", "x" * MEGABYTE, queue="shop")
    client = closing.enter_context(redis_server.client())
    reader = redis_queues.RedisQueues(look.config_of(redis_server.url))
    closing.callback(reader.close)
    reader.read([])

    before = client.info("stats")["total_net_output_bytes"]
    found = reader.read(["shop"])
    after = client.info("stats")["total_net_output_bytes"]

    assert found.queues["shop"].length == 1
    assert [tail.task_id for tail in found.queues["shop"].tails] == [sent.id]
    assert client.memory_usage("shop") > MEGABYTE
    assert after - before < 32_000  # which holds what INFO itself has written


def test_priority_steps_that_are_none_are_refused() -> None:
    """What is no list of numbers can never work and is refused at the start."""
    config = look.config_of("redis://localhost", priority_steps="0369")
    with pytest.raises(errors.ConfigError, match="priority_steps is '0369'"):
        redis_queues.RedisQueues(config)
