"""The Redis stream over a real socket: what it takes in at once, and what it refuses."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from celery_sentinel import errors
from celery_sentinel.brokers import socket_reader
from celery_sentinel.brokers.redis import events as redis_events
from celery_sentinel.config import schema
from celery_sentinel.events import decoding
from tests.unit.events import published

if TYPE_CHECKING:
    from collections.abc import Iterator

FAST = published.envelope(b'{"type": "fast"}')
SLOW = published.envelope(b'{"type": "slow", "x": NaN}')


def message(payload: bytes) -> bytes:
    """Return what Redis sends for one message of a pattern."""
    return b"*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\nc\r\n$%d\r\n%b\r\n" % (len(payload), payload)


class Link:
    """A stream that is subscribed, and the server's end of its connection."""

    def __init__(self) -> None:
        self.decoder = decoding.Decoder()
        self.stream = redis_events.RedisStream(schema.Config(), self.decoder)
        ours, self.server = socket.socketpair()
        self.ours = ours
        self.stream._socket_reader = socket_reader.SocketReader(ours)  # noqa: SLF001 -- to connect takes a server

    def types(self) -> list[str]:
        """Return the types of the events of one read."""
        return [event.type for event in self.stream.read()]


@pytest.fixture
def link() -> Iterator[Link]:
    """Connect a stream."""
    made = Link()
    with made.server, contextlib.closing(made.ours):
        yield made


def test_a_read_ends_after_a_message_that_may_have_grown(link: Link) -> None:
    """The events of one such message at a time are held; nothing waits for more to arrive."""
    link.server.sendall(message(FAST) * 2 + message(SLOW) * 2 + message(FAST))
    assert [link.types() for _ in range(3)] == [["fast", "fast", "slow"], ["slow"], ["fast"]]


@pytest.mark.parametrize("reply", [b"*0\r\n", b"*2\r\n$7\r\nmessage\r\n:1\r\n", b"?\r\n"])
def test_what_is_no_message_ends_the_connection(link: Link, reply: bytes) -> None:
    """What came before it counts; what it was is told."""
    link.server.sendall(message(FAST) + reply)
    assert link.types() == ["fast"]
    with pytest.raises(errors.BrokerError, match="not the Redis protocol"):
        link.stream.read()


def test_a_reply_without_end_is_refused_before_it_is_whole(link: Link) -> None:
    """A header may claim 512 MB; of that no more is kept than 40 MiB and one read."""
    claimed = message(FAST) + b"*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\nc\r\n$536870912\r\n"

    def send() -> None:
        with contextlib.suppress(OSError):
            link.server.sendall(claimed)
            for _ in range(redis_events.LONGEST_REPLY // 2**20 + 1):
                link.server.sendall(b"x" * 2**20)

    sender = threading.Thread(target=send)
    sender.start()
    found = []
    with pytest.raises(errors.BrokerError, match="a message of more than"):
        found.extend(itertools.chain.from_iterable(iter(link.stream.read, None)))
    link.server.shutdown(socket.SHUT_RDWR)
    sender.join()
    assert [event.type for event in found] == ["fast"]
    assert link.decoder.rejected["oversized"] == 1
