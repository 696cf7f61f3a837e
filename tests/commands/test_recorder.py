"""The recorder hears all that passes, and the list allows nothing that could do harm."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import amqp
import pytest
import redis as client_library

from tests.commands import allowed, journal, recording
from tests.servers import deadline, relay

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import rabbitmq, redis


@pytest.mark.parametrize(
    "said",
    [
        "DEL shop",
        "RPUSH shop x",
        "BRPOP shop 1",
        "SET unacked_mutex x NX PX 300000",
        "ZRANGE unacked_index 17961199 0 BYSCORE REV WITHSCORES",
        "ZREM unacked_index x",
        "HGET unacked x",
        "SADD _kombu.binding.reply.celery.pidbox x",
        "SREM _kombu.binding.celery x",
        "EVAL return 1 shop 8192",
        "PUBLISH /0.celery.pidbox shutdown",
        "PUBLISH /0.celeryev/task.failed stats",
        "SSCAN celery-task-meta-1 0 COUNT 1000",
        "FLUSHALL",
        "CONFIG SET maxmemory 1",
    ],
)
def test_harm_is_not_on_the_list_of_redis(said: str) -> None:
    """Nothing that takes, writes or removes what is not ours is allowed by any line."""
    assert allowed.AllowList("Redis").line_of(said.split(" ")) is None


@pytest.mark.parametrize(
    "said",
    [
        "queue.purge celery",
        "queue.delete celery",
        "queue.declare durable celery",
        "queue.bind celery celeryev #",
        "queue.unbind celery celery celery",
        "exchange.declare durable celery direct",
        "exchange.declare celeryev topic",
        "exchange.declare celery.pidbox fanout",
        "exchange.delete celeryev",
        "basic.consume celery",
        "basic.get celery",
        "basic.publish (empty) celery stats",
        "basic.publish celery.pidbox (empty) shutdown",
        "basic.reject",
        "basic.nack",
    ],
)
def test_harm_is_not_on_the_list_of_rabbitmq(said: str) -> None:
    """No queue but our own is declared, bound, read or emptied; one exchange may be made."""
    assert allowed.AllowList("RabbitMQ").line_of(said.split(" ")) is None


@pytest.fixture
def heard_on_redis(
    redis_server: redis.RedisServer,
) -> Iterator[tuple[client_library.Redis, recording.Recording]]:
    """Connect a client over a recorded cable."""
    heard = recording.Recording(allowed.AllowList("Redis"))
    with (
        relay.Relay(redis_server.url, listen=heard.redis) as cable,
        client_library.Redis.from_url(cable.url, protocol=2, driver_info=None) as client,
    ):
        yield client, heard


def test_what_passes_to_redis(
    heard_on_redis: tuple[client_library.Redis, recording.Recording],
) -> None:
    """Commands are counted by the line that allows them, others are kept, refusals too."""
    client, heard = heard_on_redis
    client.execute_command("ACL", "SETUSER", "default", "-zcard")
    for size in (1, 100_000):
        client.llen("shop" * size)
    client.rpush("shop", "x" * 100_000)
    client.publish("/0.celery.pidbox", "shutdown, please")
    with pytest.raises(client_library.ResponseError), client.pipeline(transaction=False) as both:
        both.ping().zcard("unacked_index").execute()

    assert heard.counts["LLEN <queue>"] == 2
    assert heard.counts["PING"] == heard.counts["ZCARD unacked_index"] == 1
    assert {stray.partition(" ")[0] for stray in heard.unmatched} == {"ACL", "RPUSH", "PUBLISH"}
    (refusal,) = heard.refused
    assert refusal.startswith("NOPERM")
    assert heard.total == 7


def test_what_passes_to_rabbitmq(rabbitmq_server: rabbitmq.RabbitServer) -> None:
    """Methods are heard with their flags and names, and messages by what they ask."""
    heard = recording.Recording(allowed.AllowList("RabbitMQ"))
    body = '{"method": "shutdown", "arguments": {}}' + " " * 300_000
    with relay.Relay(rabbitmq_server.url, listen=heard.rabbitmq) as cable:
        port = cable.url.rpartition(":")[2].partition("/")[0]
        connection = amqp.Connection(
            f"127.0.0.1:{port}", virtual_host=rabbitmq_server.vhost, read_timeout=60
        )
        connection.connect()
        channel = connection.channel()
        channel.queue_declare("shop", durable=True, auto_delete=False)
        channel.queue_declare("shop", passive=True)
        channel.basic_publish(amqp.Message(body), "", "shop")
        channel.basic_publish(amqp.Message(""), "amq.topic", "x")
        channel.queue_purge("shop")
        with contextlib.suppress(amqp.AMQPError):
            channel.exchange_declare("amq.mine", "topic")
        connection.close()
        deadline.wait_until(lambda: heard.counts["connection.close"], 60, "it is said")

    assert heard.counts["queue.declare passive <queue>"] == 1
    assert set(heard.unmatched) == {
        "queue.declare durable shop",
        "basic.publish (empty) shop shutdown",
        "basic.publish amq.topic x (no question)",
        "queue.purge shop",
        "exchange.declare auto-delete amq.mine topic",
    }
    (refusal,) = heard.refused
    assert refusal.startswith("channel.close 403: ACCESS_REFUSED")


def test_the_log_tells_changes() -> None:
    """A state that is told twice in a row is found, whatever was told of others between."""
    lines = [
        "level=warning event=poll_failing poller=workers error=x",
        "level=warning event=poll_failing poller=queues error=x",
        "level=info event=poll_recovered poller=workers",
        "level=warning event=poll_failing poller=workers error=y",
        "level=warning event=poll_failing poller=workers error=z",
        "level=warning event=library_log logger=kombu message=x",
    ]
    text = "\n".join(f"ts=2026-12-01T11:15:56.814Z {line}" for line in lines)

    assert [line.rpartition("=")[2] for line in journal.repeats(text)] == ["z", "x"]
    assert len(journal.events(text)) == len(lines)
