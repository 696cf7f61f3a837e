"""Remote control over Redis without kombu, whose consumer would move the application's messages."""

from __future__ import annotations

import base64
import contextlib
import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import msgspec
import redis

from celery_sentinel import errors
from celery_sentinel.brokers.redis import (
    client as redis_client,
    nodes as redis_nodes,
    queues as redis_queues,
    url as redis_url,
)
from celery_sentinel.remote_control import connection as control_connection

if TYPE_CHECKING:
    from celery_sentinel.config import schema

# Seconds our keys outlive the last round: longer than one takes, and the list longer than the
# binding, so that no answer comes to a list that has no end.
BINDING_KEPT, LIST_KEPT = 60, 120
LIST_KEPT_AT_END = 5  # for an answer that was on its way
SHORTEST_WAIT, LONGEST_WAIT = 0.01, 0.1  # seconds between two looks at the list
_MARKER = b""  # stays at the right end of the list, so that it keeps its time to live
_BODIES = {"base64": base64.b64decode}


class _Properties(msgspec.Struct):
    body_encoding: str | None = None


class _Envelope(msgspec.Struct):
    """A message as kombu keeps it in a list."""

    body: str
    headers: dict[str, Any] = {}
    properties: _Properties = msgspec.field(default_factory=_Properties)
    content_type: str | None = msgspec.field(name="content-type", default=None)


_decode = msgspec.json.Decoder(_Envelope).decode


class RedisLine:
    """Publishes questions as kombu does, and reads a list of our own.

    Workers answer over an exchange that nobody else uses: all keys are ours, and each has a time
    to live, so that they go by themselves when we are killed. To the list workers add at the left
    end; a marker at the right end stays, since a list that is empty is no key any more, and would
    come back without its time. So nothing is taken out before the round is over.
    """

    def __init__(self, config: schema.Config) -> None:
        options = config.broker.transport_options
        prefix = str(options.get("global_keyprefix") or "")
        separator = str(options.get("sep", redis_queues.SEPARATOR))
        exchange = config.broker.control_exchange
        name = f"celery-sentinel.{uuid.uuid4()}.reply.{exchange}.pidbox"
        self.reply_to = {"exchange": name, "routing_key": name}
        self._binding = f"{prefix}{redis_queues.BINDING}{name}"
        self._member = separator.join((name, "", name))
        self._list = prefix + name
        self._exchange = f"{exchange}.pidbox"
        self._broker = config.broker
        self._nodes = redis_nodes.Nodes(config.broker)
        self._channels: list[str] = []
        self._client: redis.Redis | None = None
        self._there = self._read = 0  # answers in the list that are known of, and those read

    def open(self) -> None:
        """Connect to the first address that answers, or to Sentinel's master."""
        self._client = redis_client.connect(self._nodes)
        database = int(self._client.connection_pool.connection_kwargs["db"])
        self._channels = redis_url.fanout_channels(self._broker, [database], self._exchange)

    def prepare(self) -> bool:
        """Make the list and what leads to it; late answers to earlier rounds go with the old."""
        self._there = self._read = 0
        with self._connected().pipeline(transaction=False) as pipeline:
            pipeline.delete(self._list)
            pipeline.rpush(self._list, _MARKER)
            pipeline.expire(self._list, LIST_KEPT)
            pipeline.sadd(self._binding, self._member)
            pipeline.expire(self._binding, BINDING_KEPT)
            pipeline.execute()
        return True  # workers that listen are not to be seen, but a message to nobody is no harm

    def publish(self, message: dict[str, Any], headers: dict[str, Any]) -> None:
        """Send a message to all workers, on each channel that some of them may listen to."""
        text = json.dumps(
            {
                "body": base64.b64encode(json.dumps(message).encode()).decode(),
                "content-encoding": "utf-8",
                "content-type": "application/json",
                "headers": headers,
                "properties": {
                    "delivery_mode": 1,
                    "delivery_info": {"exchange": self._exchange, "routing_key": ""},
                    "priority": 0,
                    "body_encoding": "base64",
                    "delivery_tag": str(uuid.uuid4()),
                },
            }
        )
        for channel in self._channels:
            self._connected().publish(channel, text)

    def receive(self, timeout: float) -> control_connection.Message | None:
        """Return the next answer; what is not there yet is looked for again and again."""
        client, deadline, wait = self._connected(), time.monotonic() + timeout, SHORTEST_WAIT
        while self._there <= self._read:
            self._there = int(client.llen(self._list)) - 1
            left = deadline - time.monotonic()
            if self._there <= self._read:
                if left <= 0:
                    return None
                time.sleep(min(wait, left))
                wait = min(2 * wait, LONGEST_WAIT)
        self._read += 1
        found: Any = client.lindex(self._list, -1 - self._read)  # oldest first, behind the marker
        if found is None:  # the server has put it away: out of memory, say
            raise control_connection.MalformedError("the list of answers is gone")
        return _message(found)

    def end(self) -> None:
        """Give the memory of the answers back; the marker stays."""
        self._connected().ltrim(self._list, -1, -1)

    def check(self) -> None:
        """Raise if the server does not answer."""
        self._connected().ping()

    def close(self) -> None:
        """Remove what leads to the list, and let the list go by itself: it may get one more."""
        client, self._client = self._client, None
        if client is None:
            return
        with (
            contextlib.suppress(redis.RedisError, OSError),
            client.pipeline(transaction=False) as p,
        ):
            p.delete(self._binding)
            p.expire(self._list, LIST_KEPT_AT_END)
            p.execute()
        _disconnect(client)

    def drop(self) -> None:
        """Disconnect; the same keys serve the next connection, or go by themselves."""
        client, self._client = self._client, None
        if client is not None:
            _disconnect(client)

    def _connected(self) -> redis.Redis:
        if self._client is None:
            raise errors.BrokerError("not connected")
        return self._client


def _disconnect(client: redis.Redis) -> None:
    client.close()
    client.connection_pool.disconnect()


def _message(text: bytes) -> control_connection.Message:
    try:
        envelope = _decode(text)
        encoding = envelope.properties.body_encoding
        body = _BODIES[encoding](envelope.body) if encoding in _BODIES else envelope.body
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise control_connection.MalformedError(f"{type(error).__name__}: {error}") from None
    return control_connection.Message(envelope.headers.get("ticket"), envelope.content_type, body)
