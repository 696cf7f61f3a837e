"""Celery's events from Redis: one connection, read raw, so that no break goes unseen."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import hiredis
import redis
from redis import backoff, retry

from celery_sentinel import errors
from celery_sentinel.brokers import protocols, socket_reader
from celery_sentinel.brokers.redis import nodes as redis_nodes, url as redis_url

if TYPE_CHECKING:
    from celery_sentinel.config import schema
    from celery_sentinel.events import decoding
    from celery_sentinel.events.event import Event

PING_AFTER = 5.0  # seconds of quiet before we ask whether anybody is there
PONG_WITHIN = 5.0
REPEATS_REMEMBERED = 4096
# Bytes of one reply that may arrive before it is whole. Longer than what is decoded, so that a
# message over that limit is counted and costs nothing else; hiredis would take any length.
LONGEST_REPLY = 40 * 1024 * 1024
# hiredis moves what is left of its buffer with each message: a small buffer makes that cheap.
SLICE = 16 * 1024
_PING = b"*1\r\n$4\r\nPING\r\n"
_MESSAGES = (b"pmessage", b"message")
# What a reply raises that is not of a message's shape; to look at each would cost every message.
_NO_MESSAGE = (IndexError, TypeError)


class RedisStream:
    """PSUBSCRIBE on a connection of our own, parsed by hiredis.

    redis-py makes the connection (authentication, TLS, Sentinel) without any retry; its
    PubSub is not used, since it reconnects in silence and loses events unseen.
    """

    durable = kept = False  # Redis keeps nothing for who is away

    def __init__(self, config: schema.Config, decoder: decoding.Decoder) -> None:
        self._nodes = redis_nodes.Nodes(config.broker)
        for address in self._nodes.addresses:
            redis_url.event_channels(config, address)  # a prefix that cannot be is told at once
        self._config = config
        self._decode = self._decode_new if self._nodes.master else decoder.envelope
        self._decode_any = decoder.envelope
        self._rejected = decoder.rejected
        self._connection: redis.connection.AbstractConnection | None = None
        self._socket_reader: socket_reader.SocketReader | None = None
        self._reader = hiredis.Reader()
        self._failure: errors.BrokerError | None = None
        self._early: list[Event] = []  # came while we were subscribing
        self._pinged_at: float | None = None
        self._more = False  # the last read left replies that have arrived
        self._pending = 0  # bytes fed since the last reply that was whole
        self._repeats: OrderedDict[int, None] = OrderedDict()

    def connect(self) -> None:
        """Connect to the first address that answers, or to Sentinel's master, and subscribe."""
        self.close()
        self._nodes.first(self._attempt)

    def _attempt(self, address: redis_url.Address) -> None:
        try:
            self._open(address)
        except redis_nodes.FAILURES:
            self.close()
            raise

    def _open(self, address: redis_url.Address) -> None:
        connection: Any = address.connection_class(
            **address.arguments,
            protocol=2,
            retry=retry.Retry(backoff.NoBackoff(), 0),
            socket_timeout=protocols.CONNECT_TIMEOUT,
        )
        self._connection = connection
        connection.connect()
        patterns, channels = redis_url.event_channels(self._config, address)
        connection.send_command("PSUBSCRIBE", *patterns)
        connection.send_command("SUBSCRIBE", *channels)
        sock = connection._sock  # noqa: SLF001 -- there is no public way to it
        self._reader, self._pending = hiredis.Reader(), 0
        self._confirm(sock, len(patterns) + len(channels))
        self._socket_reader, self._pinged_at = socket_reader.SocketReader(sock), None

    @property
    def heard_at(self) -> float:
        """When bytes last came (monotonic), answers to our PING among them."""
        return self._socket_reader.heard_at if self._socket_reader else 0.0

    def _confirm(self, sock: Any, awaited: int) -> None:
        """Read the answers to our subscriptions; a refusal (an ACL, say) is an error.

        The first subscription may bring events before the last is confirmed: they are kept.
        """
        while awaited:
            reply = self._reader.gets()
            if reply is False:
                data = sock.recv(protocols.RECEIVE_BYTES)
                if not data:
                    raise redis.ConnectionError("closed while subscribing")
                self._reader.feed(data)
            elif isinstance(reply, hiredis.ReplyError):
                raise redis.ResponseError(str(reply))
            elif not self._take(reply, self._early):
                awaited -= 1
        self._drain(self._early)

    def read(self) -> list[Event]:
        """Return the events of one read of at most 256 KiB."""
        found, self._early = self._early, []
        if found:
            return found
        if self._failure is not None:
            raise self._failure  # what came before it has been returned
        if self._socket_reader is None:
            raise errors.BrokerError("not connected")
        if self._more:
            self._parse(b"", found)
            return found
        data = self._socket_reader.read()
        if data is None:
            self._check_alive(self._socket_reader)
            return found
        self._pinged_at = None
        self._parse(data, found)
        return found

    def _parse(self, data: bytes, found: list[Event]) -> None:
        try:
            self._feed(data, found)
        except (hiredis.ProtocolError, MemoryError, *_NO_MESSAGE) as error:
            self._failure = errors.BrokerError(f"not the Redis protocol: {error}")
        if self._pending > LONGEST_REPLY:
            self._rejected["oversized"] += 1
            self._failure = errors.BrokerError(f"a message of more than {LONGEST_REPLY} bytes")

    def _feed(self, data: bytes, found: list[Event]) -> None:
        """Give hiredis all of ``data``, slice by slice; after a message that grew, the rest."""
        if not data:
            self._drain(found)  # what was left last time
        start, size = 0, len(data)
        while start < size:
            length = size - start if self._more else min(SLICE, size - start)
            self._reader.feed(data, start, length)
            self._pending += length
            start += length
            if not self._more:
                self._drain(found)

    def _drain(self, found: list[Event]) -> None:
        """Decode the messages that have arrived whole, up to one that may have grown."""
        gets, decode = self._reader.gets, self._decode
        self._more = False
        while (reply := gets()) is not False:
            self._pending = 0
            if reply.__class__ is list and reply[0] in _MESSAGES and decode(reply[-1], found):
                self._more = True
                return

    def _take(self, reply: Any, found: list[Event]) -> bool:
        """Decode a reply if it is a message, new to us; tell whether it is one."""
        if reply.__class__ is not list or reply[0] not in _MESSAGES:
            return False
        self._more = self._decode(reply[-1], found)
        return True

    def _decode_new(self, payload: bytes, found: list[Event]) -> bool:
        """Decode a message unless it has just come on kombu's other Sentinel channel.

        With ``sentinel_fanout_compat`` kombu publishes each message twice; both carry one
        delivery tag, so they are the same to the byte, and two others never are.
        """
        repeats = self._repeats
        seen = hash(payload)  # 64 bits with a secret of this process; payloads may be long
        if seen in repeats:
            return False
        repeats[seen] = None
        if len(repeats) > REPEATS_REMEMBERED:
            repeats.popitem(last=False)
        return self._decode_any(payload, found)

    def _check_alive(self, line: socket_reader.SocketReader) -> None:
        """Ask a quiet server whether it is there; a half-open connection never answers."""
        now = time.monotonic()
        if self._pinged_at is not None:
            if now - self._pinged_at > PONG_WITHIN:
                raise errors.BrokerError(
                    "no answer to PING", reason="watchdog", since=line.heard_at
                )
        elif now - line.heard_at > PING_AFTER:
            self._pinged_at = now
            line.send(_PING)

    def overflowed(self) -> bool:
        """Tell that nothing was kept that could have been too much."""
        return False

    def close(self) -> None:
        """Drop the connection."""
        connection: Any = self._connection
        self._connection = self._socket_reader = self._failure = None
        self._early, self._more, self._pending = [], False, 0
        if connection is not None:
            connection.disconnect()
