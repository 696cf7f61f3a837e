"""What a request may carry: bodies are bounded, and what is no HTTP is refused quietly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers import fetch

if TYPE_CHECKING:
    from tests.integration.web import conftest


def test_large_declared_body(serve: conftest.Serve, connect: conftest.Connect) -> None:
    """A body that is announced too large is refused unread."""
    client = connect(serve().url)
    client.send(b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n")

    assert client.receive_all().startswith(b"HTTP/1.1 413 ")


def test_large_chunked_body(serve: conftest.Serve, connect: conftest.Connect) -> None:
    """A body that grows too large is refused where the cap is passed."""
    client = connect(serve().url)
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    client.send(b"1001\r\n" + b"x" * 4097 + b"\r\n")

    assert client.receive_all().startswith(b"HTTP/1.1 413 ")


def test_small_body_is_thrown_away(serve: conftest.Serve, backend: conftest.Backend) -> None:
    """A body within the cap is no reason to refuse what needs none."""
    response = fetch.post(f"{serve(lifecycle=True).url}/-/reload", content=b"x" * 4096)

    assert response.status_code == 200
    assert backend.reloads == 1


def test_body_cut_off(
    serve: conftest.Serve, connect: conftest.Connect, backend: conftest.Backend
) -> None:
    """A request whose body never ends does nothing."""
    server = serve(lifecycle=True)
    client = connect(server.url)
    client.send(b"POST /-/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf")
    client.close()

    assert fetch.get(f"{server.url}/-/healthy").status_code == 200
    assert backend.reloads == 0


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /metrics HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 40_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
    ids=["headers", "path", "tls", "hostless"],
)
def test_unacceptable_request(
    serve: conftest.Serve, connect: conftest.Connect, sent: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    """Headers over 16 KiB and what is not HTTP get 400, quietly, and the connection ends."""
    server = serve()
    client = connect(server.url)
    client.send(sent)

    received = client.receive_all()

    assert received.startswith(b"HTTP/1.1 400 ") or received == b""
    assert fetch.get(f"{server.url}/-/healthy").status_code == 200
    assert capfd.readouterr() == ("", "")
