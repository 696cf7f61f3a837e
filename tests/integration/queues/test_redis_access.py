"""Redis servers that answer some questions only, or none: the rest is known all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from celery_sentinel import errors
from celery_sentinel.brokers.redis import queues as redis_queues
from tests.integration.queues import look

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import daemon, redis


def test_a_user_without_scripts_gets_depths(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    make_producer: conftest.MakeProducer,
) -> None:
    """Where the ACL forbids EVAL depths are known and ages are not; each script is sent once."""
    with redis_server.client() as client:
        client.execute_command(
            "ACL", "SETUSER", "watcher", "on", ">sesame", "~*", "&*", "+@all", "-@scripting"
        )
    url = redis_server.url.replace("redis://", "redis://watcher:sesame@")
    sentinel = watch(url, queues={"watch": ["shop"]})
    make_producer(redis_server.url).send("quick", queue="shop", priority=3)

    look.becomes(sentinel, 1, "celery_queue_length", queue_name="shop")
    look.polled(sentinel, times=4)
    oldest = "celery_queue_oldest_message_timestamp_seconds"
    assert look.value(sentinel, oldest, queue_name="shop") is None
    look.becomes(sentinel, 1, "celery_sentinel_poll_success", poller="queues")
    connections = sentinel.stderr_text.count("oldest_messages_unknown")
    with redis_server.client() as client:
        refused = [entry for entry in client.acl_log() if entry["object"] == "eval"]
    # That of the tails, that of unacked: once on each connection, which is mostly one.
    assert sum(entry["count"] for entry in refused) == 2 * connections
    assert 0 < connections < 4


def test_a_queue_we_may_not_look_at_is_unknown(
    redis_server: redis.RedisServer, closing: contextlib.ExitStack
) -> None:
    """Keys the ACL keeps from us have no length rather than 0; if it is all, the poll fails."""
    client = closing.enter_context(redis_server.client())
    client.execute_command("ACL", "SETUSER", "some", "on", ">sesame", "~open*", "+@all")
    client.lpush("open", "x")
    client.lpush("closed", "x")
    url = redis_server.url.replace("redis://", "redis://some:sesame@")
    reader = redis_queues.RedisQueues(look.config_of(url))
    closing.callback(reader.close)

    found = reader.read(["open", "closed"])

    assert (found.queues["open"].length, found.queues["closed"].length) == (1, None)
    with pytest.raises(errors.BrokerError, match="permissions"):
        reader.read(["closed"])


def test_the_next_server_of_a_list_is_taken(
    redis_server: redis.RedisServer, closing: contextlib.ExitStack
) -> None:
    """Of several URLs for failover the first that answers is asked."""
    client = closing.enter_context(redis_server.client())
    client.lpush("shop", "x")
    url = f"redis://127.0.0.1:1/0;{redis_server.url}"
    reader = redis_queues.RedisQueues(look.config_of(url))
    closing.callback(reader.close)

    assert reader.read(["shop"]).queues["shop"].length == 1
