"""Asks the broker which silent workers it still knows: a process that is gone has no mailbox."""

from __future__ import annotations

import base64
import json
import time
import uuid
from typing import TYPE_CHECKING, Any, Protocol

import redis
from amqp import exceptions

from celery_sentinel import errors
from celery_sentinel.brokers import failover, protocols, registry
from celery_sentinel.brokers.amqp import connection as amqp_connection, url as amqp_url
from celery_sentinel.brokers.redis import (
    client as redis_client,
    nodes as redis_nodes,
    url as redis_url,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from celery_sentinel.config import schema

LONG = 1.0  # seconds of a round
_AMQP_FAILURES = (OSError, exceptions.AMQPError)


class Mailboxes(Protocol):
    """One look, around a round of questions to all workers.

    ``lasting`` tells whether a mailbox stays as long as its process: RabbitMQ takes that of a
    process away which has been frozen for a minute. Both methods raise ``errors.BrokerError``.
    """

    lasting: bool

    def begin(self, names: Sequence[str]) -> None:
        """Look before the round."""

    def gone(self, names: Sequence[str], *, answered: int) -> set[str]:
        """Return which of ``names`` have no mailbox, after ``answered`` others answered."""


class RedisMailboxes:
    """Counts who receives a message to the workers: Redis keeps no names of subscribers.

    Where no more receive it than have answered, those who have not are gone. If the round was a
    long one the next has to say so too, since workers may come and go in the midst of it.
    """

    lasting = True

    def __init__(self, config: schema.Config) -> None:
        self._broker = config.broker
        self._exchange = _exchange_of(config)
        self._nodes = redis_nodes.Nodes(config.broker)
        self._before = 0
        self._begun = 0.0
        self._missed: frozenset[str] = frozenset()

    def begin(self, names: Sequence[str]) -> None:
        """Count who listens now."""
        self._begun = time.monotonic()
        self._before = self._receivers(names)

    def gone(self, names: Sequence[str], *, answered: int) -> set[str]:
        """Count again; all are gone or nobody is known to be."""
        listening = max(self._before, self._receivers(names))
        missed = frozenset(names) if listening <= answered else frozenset()
        long = time.monotonic() - self._begun > LONG
        found, self._missed = missed & self._missed if long else missed, missed
        return set(found)

    def _receivers(self, names: Sequence[str]) -> int:
        """Return how many processes receive a ping to the silent, which the others let pass."""
        client = None
        try:
            client = redis_client.connect(self._nodes)
            database = int(client.connection_pool.connection_kwargs["db"])
            ping = _ping(self._exchange, names)
            channels = redis_url.fanout_channels(self._broker, [database], self._exchange)
            return sum(int(client.publish(channel, ping)) for channel in channels)
        except (redis.RedisError, OSError) as error:
            raise errors.BrokerError(str(error)) from error
        finally:
            if client is not None:
                client.close()
                client.connection_pool.disconnect()


class AmqpMailboxes:
    """Declares the queue of each silent worker passively: it goes with the connection."""

    lasting = False

    def __init__(self, config: schema.Config) -> None:
        self._addresses = amqp_url.addresses(config.broker)
        self._exchange = _exchange_of(config)

    def begin(self, names: Sequence[str]) -> None:
        """Do nothing: names tell."""

    def gone(self, names: Sequence[str], *, answered: int) -> set[str]:  # noqa: ARG002 -- names tell
        """Return those whose queue is not there; one that is exclusive is."""
        connection = amqp_connection.first(self._addresses, timeout=protocols.ANSWER_TIMEOUT)
        try:
            channel = connection.channel()
            return {name for name in names if _is_missing(channel, f"{name}.{self._exchange}")}
        except _AMQP_FAILURES as error:
            raise errors.BrokerError(failover.text_of(error)) from error
        finally:
            connection.collect()


def mailboxes_of(config: schema.Config) -> Mailboxes | None:
    """Return what looks for mailboxes on ``broker.url``, None where nothing can."""
    transport = registry.transport_of(config.broker.url)
    if transport in registry.REDIS:
        return RedisMailboxes(config)
    return AmqpMailboxes(config) if transport in registry.AMQP else None


def _exchange_of(config: schema.Config) -> str:
    """Return that of remote control; a worker's queue in it is <node name>.<exchange>."""
    return f"{config.broker.control_exchange}.pidbox"


def _is_missing(channel: Any, queue: str) -> bool:
    if len(queue.encode("utf-8", "replace")) > amqp_url.LONGEST_NAME:
        return False
    try:
        channel.queue_declare(queue, passive=True)
    except exceptions.NotFound:  # the server has closed the channel, and py-amqp opened it again
        return True
    except (exceptions.ResourceLocked, exceptions.AccessRefused):
        return False
    return False


def _ping(exchange: str, names: Sequence[str]) -> str:
    """Return a message in kombu's envelope that asks nobody for an answer."""
    body: dict[str, Any] = {
        "method": "ping",
        "arguments": {},
        "destination": list(names),
        "pattern": None,
        "matcher": None,
    }
    return json.dumps(
        {
            "body": base64.b64encode(json.dumps(body).encode()).decode(),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": {"clock": 0, "expires": time.time() + 1},
            "properties": {
                "delivery_mode": 2,
                "delivery_info": {"exchange": exchange, "routing_key": ""},
                "priority": 0,
                "body_encoding": "base64",
                "delivery_tag": str(uuid.uuid4()),
            },
        }
    )
