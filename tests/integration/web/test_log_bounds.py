"""Whatever clients send, the log of the daemon stays short and the refusals are counted."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from typing import TYPE_CHECKING
from urllib import parse

import bcrypt
import pytest
import yaml

from celery_sentinel import log_limit
from tests.servers import daemon, fetch

if TYPE_CHECKING:
    import pathlib

    from tests import conftest
    from tests.servers import certificates, redis

TIMES = 100  # for each shape
ALLOWED = 20_000  # bytes of the log for all of them together: a few lines a minute; it was 2 MB/s
CHUNKED = b"Host: x\r\nTransfer-Encoding: chunked\r\n\r\n"
SHAPES = {
    "broken chunk behind HEAD": b"HEAD / HTTP/1.1\r\n" + CHUNKED + b"ZZ\r\n",
    "broken chunk behind GET": b"GET /metrics HTTP/1.1\r\n" + CHUNKED + b"ZZ\r\n",
    "broken chunk behind POST": b"POST /-/reload HTTP/1.1\r\n" + CHUNKED + b"-1\r\n",
    "broken second request": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n\x00\x01\r\n\r\n",
    "broken request behind HEAD": b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\nZZ\r\n\r\n",
    "half a request": b"GET /metrics HT",
    "half a body": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nabc",
    "version": b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "h2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    "websocket": b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "garbage": bytes(range(256)),
    "NULs": b"\x00" * 1000,
    "long line": b"GET /" + b"a" * 70_000,
    "long header": b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 70_000 + b"\r\n\r\n",
    "no UTF-8": b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\nA: \xff\r\n\r\n",
    "line breaks in the path": b"GET /%0d%0alevel=error HTTP/1.1\r\nHost: x\r\n\r\n",
    "method": b"\x1b[2J / HTTP/1.1\r\nHost: x\r\n\r\n",
    "credentials": b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic \xff\xff==\r\n\r\n",
    "pipelined": b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n" * 30 + b"\r\nZZ\r\n\r\n",
    "two lengths": b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"r" * 60,
}


def _attack(url: str, data: bytes, *, reset: bool, tls: ssl.SSLContext | None = None) -> None:
    """Send bytes and leave, with a reset or after whatever the answer is."""
    where = parse.urlsplit(url)
    with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
        plug = stack.enter_context(socket.create_connection((where.hostname, where.port), 60))
        if tls is not None:
            plug = stack.enter_context(tls.wrap_socket(plug, server_hostname=where.hostname))
        if reset:
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        plug.sendall(data)
        if not reset:
            plug.shutdown(socket.SHUT_WR)
            while plug.recv(65536):
                pass


def _attack_with_all(sentinel: daemon.Daemon, tls: ssl.SSLContext | None = None) -> str:
    """Send every shape many times; return what was logged meanwhile."""
    before = len(sentinel.stderr_text)
    for data in SHAPES.values():
        for number in range(TIMES):
            _attack(sentinel.url, data, reset=number % 2 == 0, tls=tls)
    return sentinel.stderr_text[before:]


def _judge(logged: str, samples: daemon.Samples) -> None:
    assert len(logged) < ALLOWED, logged[:2000]
    assert "Traceback" not in logged
    dropped = "celery_sentinel_web_connections_dropped_total"
    assert (daemon.total(samples, dropped, reason="malformed") or 0) >= 5 * TIMES


@pytest.mark.parametrize("users", [False, True], ids=["open", "basic auth"])
def test_over_http(
    users: bool,
    redis_server: redis.RedisServer,
    start_daemon: conftest.StartDaemon,
    tmp_path: pathlib.Path,
) -> None:
    """Shapes that make a parser stumble are counted, and cost the log nothing."""
    config = tmp_path / "web.yml"
    hashed = bcrypt.hashpw(b"sesame", bcrypt.gensalt(4)).decode()
    config.write_text(yaml.safe_dump({"basic_auth_users": {"me": hashed}} if users else {}))
    sentinel = start_daemon(redis_server.url, args=["--web.config.file", str(config)])

    logged = _attack_with_all(sentinel)

    answer = fetch.get(f"{sentinel.url}/metrics", auth=("me", "sesame"))
    _judge(logged, daemon.parse(answer.text))


def test_over_tls(
    redis_server: redis.RedisServer,
    start_daemon: conftest.StartDaemon,
    tmp_path: pathlib.Path,
    tls: certificates.Certificates,
) -> None:
    """The same inside TLS, and to the port of TLS without any."""
    config = tmp_path / "web.yml"
    pair = {"cert_file": str(tls.cert_file), "key_file": str(tls.key_file)}
    config.write_text(yaml.safe_dump({"tls_server_config": pair}))
    sentinel = start_daemon(redis_server.url, args=["--web.config.file", str(config)])
    trust = ssl.create_default_context(cafile=str(tls.ca_file))

    logged = _attack_with_all(sentinel) + _attack_with_all(sentinel, trust)

    answer = fetch.get(f"{sentinel.url}/metrics", verify=trust)
    _judge(logged, daemon.parse(answer.text))


def test_one_line_a_minute_for_each_reason() -> None:
    """The next line says how many there would have been."""
    now = 100.0
    limit = log_limit.LogLimit(lambda: now)
    assert limit.admit("a") == {}
    assert [limit.admit("a") for _ in range(1000)] == [None] * 1000
    assert limit.admit("b") == {}
    now += log_limit.INTERVAL
    assert limit.admit("a") == {"suppressed": 1000}
    now += log_limit.INTERVAL
    assert limit.admit("a") == {}
