"""Publishes messages that are encoded already, as fast as a broker takes them or at a rate."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING, Protocol, Self

import amqp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.servers import rabbitmq, redis

PIPELINE = 500  # messages handed over at once in a burst
TICK = 0.001  # seconds between two hand-overs at a rate
_SECONDS = 60.0


class Publisher(Protocol):
    """Takes messages in the form of its broker."""

    def send(self, messages: Sequence[bytes]) -> None:
        """Hand messages to the broker; returns when it has taken them."""

    def close(self) -> None:
        """Drop the connection."""


class RedisPublisher:
    """A plain connection; each PUBLISH is answered by how many subscribers got it."""

    def __init__(self, server: redis.RedisServer) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port), timeout=_SECONDS)

    def send(self, messages: Sequence[bytes]) -> None:
        """Send commands in one write and wait for all answers."""
        self._socket.sendall(b"".join(messages))
        awaited = len(messages)
        while awaited > 0:
            awaited -= self._socket.recv(65536).count(b"\n")

    def close(self) -> None:
        """Drop the connection."""
        self._socket.close()


class RabbitPublisher:
    """py-amqp opens connection and channel; from then on the frames are ours."""

    def __init__(self, server: rabbitmq.RabbitServer) -> None:
        self._connection = amqp.Connection(
            f"127.0.0.1:{server.port}", virtual_host=server.vhost, read_timeout=_SECONDS
        )
        self._connection.connect()
        self._channel = self._connection.channel()
        self._channel.exchange_declare("celeryev", "topic", durable=True, auto_delete=False)
        self._socket = self._connection.transport.sock
        self._socket.settimeout(_SECONDS)

    def send(self, messages: Sequence[bytes]) -> None:
        """Send frames in one write; the broker holds the socket back when it is busy."""
        self._socket.sendall(b"".join(messages))

    def close(self) -> None:
        """Drop the connection once the broker has read everything."""
        with contextlib.suppress(OSError, amqp.AMQPError):
            self._connection.close()

    def __enter__(self) -> Self:
        return self


def burst(publisher: Publisher, messages: Sequence[bytes]) -> None:
    """Publish without any pause."""
    for start in range(0, len(messages), PIPELINE):
        publisher.send(messages[start : start + PIPELINE])


def paced(publisher: Publisher, messages: Sequence[bytes], *, rate: float) -> None:
    """Publish ``rate`` messages a second, evenly, a few in each millisecond."""
    begun = time.monotonic()
    done = 0
    while done < len(messages):
        due = min(len(messages), int((time.monotonic() - begun) * rate))
        if due > done:
            publisher.send(messages[done:due])
            done = due
        time.sleep(TICK)
