"""Clients do their worst to a daemon with 100,000 series: memory, log and the event path hold."""

from __future__ import annotations

import contextlib
import gzip
from typing import TYPE_CHECKING

import pytest

from tests.integration.web import siege
from tests.integration.web.siege import DROPPED, REFUSED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests import conftest
    from tests.servers import redis

GET = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /metrics HTTP/1.1\r\nHost: a\r\n"
TINY = 4096  # bytes of a receive buffer


@pytest.fixture
def besieged(
    redis_server: redis.RedisServer, start_daemon: conftest.StartDaemon
) -> Iterator[siege.Siege]:
    """Start a daemon that has a large exposition."""
    sentinel = start_daemon(redis_server.url)
    siege.fill(sentinel, redis_server)
    with siege.Siege(sentinel, redis_server) as begun:
        yield begun


def test_resets_amid_large_responses(besieged: siege.Siege) -> None:
    """Scrapers that reset in the middle of the body are counted, and leave nothing behind."""
    for _ in range(60):
        plug = siege.connect(besieged.sentinel.url, receive_buffer=TINY)
        plug.sendall(GET)
        assert plug.recv(1024).startswith(b"HTTP/1.1 200")
        siege.reset(plug)

    besieged.until(DROPPED, "left_early slow_reader", 60)
    besieged.judge()


def test_requests_that_stop_half_way(besieged: siege.Siege) -> None:
    """Heads and bodies that never end have ten seconds, and one line of log at most."""
    halves = [b"", b"GET /met", GET[:-2], POST + b"Content-Length: 9\r\n\r\nhalf"]
    with siege.crowd() as held:
        for number in range(200):
            plug = siege.connect(besieged.sentinel.url)
            plug.sendall(halves[number % len(halves)])
            held.append(plug)
        besieged.until(DROPPED, "late_request", 200)
    besieged.judge()


def test_large_gzip_bodies(besieged: siege.Siege) -> None:
    """Bodies that would unpack to a gigabyte are neither unpacked nor read to their end."""
    body = gzip.compress(bytes(50 * 2**20)) * 20
    coded = b"Content-Encoding: gzip\r\n"
    declared = POST + coded + b"Content-Length: %d\r\n\r\n" % len(body) + body
    pieces = (b"%x\r\n" % len(body)) + body + b"\r\n0\r\n\r\n"
    chunked = POST + coded + b"Transfer-Encoding: chunked\r\n\r\n" + pieces
    for sent in (declared, chunked) * 20:
        with contextlib.suppress(OSError), siege.connect(besieged.sentinel.url) as plug:
            plug.sendall(sent)
            while plug.recv(65536):
                pass
    besieged.until(REFUSED, "body_too_large", 40)
    besieged.judge()
