"""Since when the oldest message has waited, by the best evidence there is, and by no guess."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.integration.queues import look

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import daemon, redis

HEADER = "sentry-task-enqueued-time"  # of sentry-sdk's integration for Celery
QUIET = {"sent_events": False}


def test_a_task_whose_sending_was_heard_is_exact(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    make_producer: conftest.MakeProducer,
) -> None:
    """With task-sent events the oldest message is as old as its event says: tracked."""
    sentinel = watch(redis_server.url)
    sending = make_producer(redis_server.url)
    begun = time.time()
    sending.send("quick", queue="shop")
    sent = time.time()
    look.becomes(sentinel, 1, "celery_queue_length", queue_name="shop")
    look.polled(sentinel)
    sending.send("quick", queue="shop")
    look.becomes(sentinel, 2, "celery_queue_length", queue_name="shop")

    found = look.eventually(lambda: oldest(sentinel), "it is told")
    assert found.keys() == {"tracked"}
    assert begun - 0.01 <= found["tracked"] <= sent + 0.01


def test_the_header_is_next_best(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    make_producer: conftest.MakeProducer,
) -> None:
    """Without the event, the time that the producer's own instrumentation wrote is taken."""
    enqueued_at = time.time() - 100
    sending = make_producer(redis_server.url, **QUIET)
    sending.send("quick", queue="shop", headers={HEADER: str(enqueued_at)})
    sending.send("quick", queue="shop", headers={HEADER: str(time.time())})
    sentinel = watch(redis_server.url, queues={"watch": ["shop"]})

    found = look.eventually(lambda: oldest(sentinel), "it is told")
    assert found.keys() == {"header"}
    assert abs(found["header"] - enqueued_at) < 0.01


def test_without_any_evidence_it_is_observed(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    make_producer: conftest.MakeProducer,
) -> None:
    """Else the message is at least as old as our first sight of it, and that does not move."""
    sending = make_producer(redis_server.url, **QUIET)
    sending.send("quick", queue="shop")
    begun = time.time()
    sentinel = watch(redis_server.url, queues={"watch": ["shop"]})

    first = look.eventually(lambda: oldest(sentinel), "it is told")
    look.polled(sentinel, times=3)
    assert look.eventually(lambda: oldest(sentinel), "it is told again") == first
    assert first.keys() == {"observed"}
    assert begun - 1 < first["observed"] < time.time()


def test_the_oldest_of_all_priorities_counts(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    make_producer: conftest.MakeProducer,
) -> None:
    """A message that starves behind others of a better priority is the oldest one."""
    now = time.time()
    sending = make_producer(redis_server.url, **QUIET)
    for priority, age in ((0, 10), (3, 20), (9, 500)):
        headers = {HEADER: str(now - age)}
        sending.send("quick", queue="shop", priority=priority, headers=headers)
    sentinel = watch(redis_server.url, queues={"watch": ["shop"]})

    found = look.eventually(lambda: oldest(sentinel), "it is told")
    assert abs(found["header"] - (now - 500)) < 0.01


def test_a_drained_queue_has_no_oldest_message(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """When the last message is taken the series goes: there is nothing that waits."""
    sentinel = watch(redis_server.url)
    make_producer(redis_server.url).send("quick")
    look.eventually(lambda: oldest(sentinel, "celery"), "it is told")

    start_worker(redis_server.url)

    look.eventually(lambda: look.length(sentinel, "celery") == 0, "it is drained")
    assert oldest(sentinel, "celery") == {}


def test_a_message_that_is_none_has_no_age(
    redis_server: redis.RedisServer, watch: Callable[..., daemon.Daemon]
) -> None:
    """What somebody else pushed counts as a message, and its age is not made up."""
    with redis_server.client() as client:
        for name, body in (
            ("garbage", b"\xff\x00 no JSON"),
            ("cut", b'"correlation_id": "'),
            ("text", b'{"body": "\\"correlation_id\\": \\"x\\""}'),
            ("number", f'{{"{HEADER}": "99"}}'.encode()),
        ):
            client.lpush(name, body)
    names = ["garbage", "cut", "text", "number"]
    sentinel = watch(redis_server.url, queues={"watch": names})

    expected = dict.fromkeys(names, 1)
    look.eventually(lambda: look.lengths(sentinel) == expected, "all are counted")
    assert [oldest(sentinel, name) for name in names] == [{}] * 4


def oldest(sentinel: daemon.Daemon, queue: str = "shop") -> dict[str, float]:
    """Return the time of a queue's oldest message by source."""
    return {
        dict(labels)["source"]: value
        for (name, labels), value in sentinel.scrape().items()
        if name == "celery_queue_oldest_message_timestamp_seconds"
        and dict(labels)["queue_name"] == queue
    }
