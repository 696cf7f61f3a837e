"""Clients do their worst to a daemon with 100,000 series: memory, log and the event path hold."""

from __future__ import annotations

import contextlib
import gzip
from typing import TYPE_CHECKING

import pytest

from tests.integration.web import siege
from tests.integration.web.siege import DROPPED, REFUSED
from tests.servers import deadline

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


def test_slow_readers(besieged: siege.Siege) -> None:
    """Two hundred clients that read a byte now and then hold no more memory than a few bodies."""
    with siege.crowd() as held:
        for _ in range(200):
            plug = siege.connect(besieged.sentinel.url, receive_buffer=TINY)
            plug.sendall(GET * 5)
            held.append(plug)

        def read_a_byte() -> float:
            for plug in held:
                with contextlib.suppress(OSError):
                    plug.recv(1)
            return besieged.counted(DROPPED, "slow_reader") >= 190

        deadline.wait_until(read_a_byte, 120, "slow readers are given up", every=1.0)
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


def test_floods_of_headers(besieged: siege.Siege) -> None:
    """Thousands of headers, long ones, and ones that never end are refused and counted."""
    head = b"GET /metrics HTTP/1.1\r\nHost: a\r\n"
    for sent in (b"a: b\r\n" * 200_000, b"A: " + b"b" * 2**20, b"A: b\r\n b\r\n" * 100_000) * 30:
        with contextlib.suppress(OSError), siege.connect(besieged.sentinel.url) as plug:
            plug.sendall(head + sent)
            while plug.recv(65536):
                pass
    besieged.until(DROPPED, "malformed", 90)
    besieged.judge()


def test_ten_thousand_connections(besieged: siege.Siege) -> None:
    """They displace each other, and a scraper from elsewhere gets its place at any time."""
    with siege.crowd() as held:
        for number in range(10_000):
            held.append(siege.connect(besieged.sentinel.url, source="127.0.0.2"))
            if len(held) > 600:
                held.pop(0).close()
            if number % 2_500 == 0:
                besieged.scrape()
        besieged.until(DROPPED, "displaced", 300)
    besieged.judge()


def test_pipelining_without_reading(besieged: siege.Siege) -> None:
    """A thousand requests at once are answered one by one, or not at all to who does not read."""
    with siege.crowd() as held:
        for _ in range(40):
            plug = siege.connect(besieged.sentinel.url, receive_buffer=TINY)
            plug.settimeout(0.5)
            with contextlib.suppress(OSError):
                plug.sendall(GET * 20_000)
            held.append(plug)
        besieged.until(DROPPED, "slow_reader", 40)
    besieged.judge()


def test_other_protocols(besieged: siege.Siege) -> None:
    """HTTP/2 and TLS are no HTTP/1.1: refused each time, told never."""
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2
    for sent in (preface, hello, b"\x00\r\n\r\n", b"*1\r\n$4\r\nPING\r\n\r\n") * 100:
        with contextlib.suppress(OSError), siege.connect(besieged.sentinel.url) as plug:
            plug.sendall(sent)
            while plug.recv(65536):
                pass
    besieged.until(DROPPED, "malformed", 400)
    besieged.judge()
