"""Requests made to confuse: paths, shapes that two parsers read differently, forged headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from celery_sentinel import web
from tests.integration.web.test_limits import ENOUGH
from tests.servers import deadline, fetch

if TYPE_CHECKING:
    from tests.integration.web import conftest

# Would be answered if a server took the end of one request for the beginning of another.
SMUGGLED = b"GET /api/v1/status HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /metrics HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.parametrize(
    "target",
    [
        b"/../../etc/passwd",
        b"/metrics/../-/reload",
        b"/..%2f..%2fetc%2fpasswd",
        b"/%2e%2e/%2e%2e/etc/passwd",
        b"/metrics%00",
        b"/metrics%0d%0aX-Injected:%20yes",
        b"/\\..\\..\\etc\\passwd",
        b"//metrics",
        b"/metrics/",
        b"/METRICS",
        b"/metrics;a=b",
        b"/api/v1//status",
        b"/%ff%fe",
        b"/" + b"a/" * 4000,
    ],
)
def test_paths(serve: conftest.Serve, connect: conftest.Connect, target: bytes) -> None:
    """Only the exact paths are served: no other way to write one, and no file."""
    client = connect(serve(lifecycle=True).url)
    client.send(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")

    head, _, body = client.receive_response().partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 404 ")
    assert body == b"Not Found\n"
    assert b"X-Injected" not in head


@pytest.mark.parametrize("target", [b"http://evil/metrics", b"*", b"evil:80", b"@evil/metrics"])
def test_targets_of_a_proxy(
    serve: conftest.Serve, connect: conftest.Connect, target: bytes
) -> None:
    """We are nobody's proxy: a whole URL as target leads nowhere."""
    client = connect(serve().url)
    client.send(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")

    assert client.receive_response().startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize(
    "sent",
    [
        POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + SMUGGLED,
        POST + b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + SMUGGLED,
        POST + b"Content-Length: 0, 44\r\n\r\n" + SMUGGLED,
        POST + b"Content-Length: +0\r\n\r\n" + SMUGGLED,
        POST + b"Content-Length: -1\r\n\r\n" + SMUGGLED,
        POST + b"Content-Length: 0x0\r\n\r\n" + SMUGGLED,
        POST + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n" + SMUGGLED,
        POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + SMUGGLED,
        POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n" + SMUGGLED,
        POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n" + SMUGGLED,
        POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 40 + b"\r\n" + SMUGGLED,
        b"GET /metrics HTTP/1.1\r\nHost: a\r\nX\x00: y\r\n\r\n" + SMUGGLED,
        b"GET /metrics HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n" + SMUGGLED,
        b"GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + SMUGGLED,
        b"GET  /metrics HTTP/1.1\r\nHost: a\r\n\r\n" + SMUGGLED,
    ],
)
def test_smuggling(serve: conftest.Serve, connect: conftest.Connect, sent: bytes) -> None:
    """A request of which the end is not plain is refused, and nothing behind it is read."""
    server = serve()
    client = connect(server.url)
    client.send(sent)

    received = client.receive_all()

    assert received.count(b"HTTP/1.1 ") <= 1
    assert received.startswith((b"HTTP/1.1 4", b"HTTP/1.1 501"))
    assert b'"tracked_tasks"' not in received
    assert fetch.get(f"{server.url}/-/healthy").status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /metrics HTTP/1.1\nHost: a\nConnection: close\n\n",
        b"GET /metrics HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\nConnection: close\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        b"0\r\nHost: evil\r\nAuthorization: Basic x\r\n\r\n",
    ],
    ids=["bare-lf", "obs-fold", "trailers"],
)
def test_old_shapes_are_one_request(
    serve: conftest.Serve, connect: conftest.Connect, sent: bytes
) -> None:
    """What the standard lets a server accept is one request and one answer."""
    client = connect(serve().url)
    client.send(sent)

    assert client.receive_all().count(b"HTTP/1.1 ") == 1


def test_many_headers(serve: conftest.Serve, connect: conftest.Connect) -> None:
    """Thousands of small headers are too many together."""
    client = connect(serve().url)
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a: b\r\n" * 5000 + b"\r\n")

    # Closing with bytes unread resets the connection, which may take the answer with it.
    assert client.receive_all()[:13] in {b"HTTP/1.1 400 ", b""}


def test_expect_and_upgrade(serve: conftest.Serve, connect: conftest.Connect) -> None:
    """A body that waits for permission, HTTP/2 in clear and WebSockets find nobody."""
    server = serve()
    for extra in (
        b"Expect: 100-continue\r\nContent-Length: 999999\r\n",
        b"Upgrade: h2c\r\nConnection: Upgrade, close\r\nHTTP2-Settings: AAMAAABk\r\n",
        b"Upgrade: websocket\r\nConnection: Upgrade, close\r\nSec-WebSocket-Key: x\r\n",
    ):
        client = connect(server.url)
        client.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\n" + extra + b"\r\n")
        status = client.receive_all().partition(b"\r\n")[0]
        assert status.split()[1] in {b"200", b"400", b"413", b"503"}


def test_slow_headers_from_many(serve: conftest.Serve, connect: conftest.Connect) -> None:
    """Three hundred clients that send a header now and then hold no place for ever."""
    server = serve(bounds=web.Limits(request_seconds=ENOUGH))
    clients = [connect(server.url) for _ in range(300)]
    for client in clients[50:]:
        client.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\nX: ")

    assert fetch.get(f"{server.url}/metrics").status_code == 200
    deadline.wait_until(lambda: server.connections == 0, 60, "the end of all slow clients")


def test_forged_forwarding(serve: conftest.Serve, backend: conftest.Backend) -> None:
    """Nobody is believed about where a request comes from or to whom it goes."""
    forged = {
        "Host": "evil.example",
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.example",
        "X-Original-URL": "/-/reload",
        "X-HTTP-Method-Override": "POST",
    }
    answer = fetch.get(serve(lifecycle=True).url, headers=forged)

    assert answer.status_code == 200
    assert "evil.example" not in answer.text + str(answer.headers)
    assert backend.reloads == 0
