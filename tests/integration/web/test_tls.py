"""HTTP over TLS: versions, client certificates, and handshakes that never end."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from celery_sentinel import web
from tests.integration.web.test_limits import GET, PATIENT, QUICK
from tests.servers import certificates, deadline, fetch

if TYPE_CHECKING:
    import pathlib

    from tests.integration.web import conftest

# The beginning of a real ClientHello, of which the rest never comes.
HALF_A_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100)
REQUIRED = {"client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": "ca.pem"}


def test_scrape(serve: conftest.Serve, web_file: conftest.WebFile, trust: ssl.SSLContext) -> None:
    """The URL says https, and the certificate is that of the file."""
    server = serve(config_file=web_file())

    assert server.url.startswith("https://127.0.0.1:")
    assert fetch.get(f"{server.url}/metrics", verify=trust).text == "celery_broker_up 1\n"


def test_plain_http_gets_nothing(
    serve: conftest.Serve, web_file: conftest.WebFile, connect: conftest.Connect
) -> None:
    """Where TLS is spoken a plain request is no way in."""
    server = serve(config_file=web_file())
    client = connect(server.url)
    client.send(GET)

    assert b"celery" not in client.receive_all()
    assert server.dropped == {"failed_handshake": 1}


@pytest.mark.parametrize(
    ("tls", "client_speaks", "welcome"),
    [
        ({}, ssl.TLSVersion.TLSv1_2, True),
        ({"min_version": "TLS13"}, ssl.TLSVersion.TLSv1_2, False),
        ({"min_version": "TLS13"}, ssl.TLSVersion.TLSv1_3, True),
        ({"max_version": "TLS12"}, ssl.TLSVersion.TLSv1_3, False),
        ({"cipher_suites": ["TLS_AES_128_GCM_SHA256"]}, ssl.TLSVersion.TLSv1_2, False),
        (
            {"cipher_suites": ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"]},
            ssl.TLSVersion.TLSv1_2,
            True,
        ),
    ],
)
def test_versions(
    *,
    serve: conftest.Serve,
    web_file: conftest.WebFile,
    connect: conftest.Connect,
    trust: ssl.SSLContext,
    tls: dict[str, Any],
    client_speaks: ssl.TLSVersion,
    welcome: bool,
) -> None:
    """A client comes in with the versions and the suites that the file allows."""
    server = serve(config_file=web_file(tls=tls))
    trust.minimum_version = trust.maximum_version = client_speaks
    if not welcome:
        with pytest.raises(ssl.SSLError):
            connect(server.url, tls=trust)
        return
    client = connect(server.url, tls=trust)
    assert isinstance(client.socket, ssl.SSLSocket)
    name, _, _ = client.socket.cipher() or ("", "", 0)
    assert "cipher_suites" not in tls or name == "ECDHE-ECDSA-AES256-GCM-SHA384"


@pytest.mark.parametrize(
    ("tls", "certificate", "welcome"),
    [
        (REQUIRED, None, False),
        (REQUIRED, "ours", True),
        (REQUIRED, "theirs", False),
        ({**REQUIRED, "client_auth_type": "VerifyClientCertIfGiven"}, None, True),
        ({**REQUIRED, "client_auth_type": "VerifyClientCertIfGiven"}, "ours", True),
        ({**REQUIRED, "client_auth_type": "VerifyClientCertIfGiven"}, "theirs", False),
        ({**REQUIRED, "client_allowed_sans": ["scraper.example"]}, "ours", True),
        ({**REQUIRED, "client_allowed_sans": ["0:0:0:0:0:0:0:1"]}, "ours", True),
        ({**REQUIRED, "client_allowed_sans": ["other.example"]}, "ours", False),
    ],
)
def test_client_certificates(
    *,
    serve: conftest.Serve,
    web_file: conftest.WebFile,
    trust: ssl.SSLContext,
    issued: certificates.Certificates,
    tmp_path: pathlib.Path,
    tls: dict[str, Any],
    certificate: str | None,
    welcome: bool,
) -> None:
    """Who has no certificate of our authority, or one with another name, gets no answer."""
    (tmp_path / "theirs").mkdir()
    strangers = certificates.Certificates(tmp_path / "theirs")
    chain = {
        "ours": issued.issue("client-", "scraper.example", "::1"),
        "theirs": strangers.issue("client-", "scraper.example"),
    }
    if certificate is not None:
        trust.load_cert_chain(*chain[certificate])
    server = serve(config_file=web_file(tls=tls))

    try:
        answer = fetch.get(f"{server.url}/metrics", verify=trust).status_code
    except httpx.TransportError:
        answer = None

    assert answer == (200 if welcome else None)


@pytest.mark.parametrize("sent", [b"", HALF_A_HELLO], ids=["idle", "half"])
def test_late_handshake(
    serve: conftest.Serve, web_file: conftest.WebFile, connect: conftest.Connect, sent: bytes
) -> None:
    """A handshake that is not finished in time ends its connection."""
    server = serve(config_file=web_file(), bounds=web.Limits(handshake_seconds=QUICK))
    client = connect(server.url)
    client.send(sent)

    assert client.receive_all() == b""
    assert server.dropped == {"late_handshake": 1}


def test_request_after_the_handshake_is_timed(
    serve: conftest.Serve,
    web_file: conftest.WebFile,
    connect: conftest.Connect,
    trust: ssl.SSLContext,
) -> None:
    """Who finishes the handshake and says nothing gets no more patience than without TLS."""
    server = serve(config_file=web_file(), bounds=web.Limits(request_seconds=QUICK))
    client = connect(server.url, tls=trust)

    assert client.receive_all() == b""
    assert server.dropped == {"late_request": 1}


def test_a_thousand_slow_handshakes(
    serve: conftest.Serve,
    web_file: conftest.WebFile,
    connect: conftest.Connect,
    trust: ssl.SSLContext,
) -> None:
    """A thousand clients within their handshake hold 256 places at most; a scrape gets one."""
    server = serve(config_file=web_file(), bounds=web.Limits(handshake_seconds=90.0, **PATIENT))
    scraper = connect(server.url, tls=trust)
    scraper.send(GET)
    scraper.receive_response()
    flood = []
    for turn in range(500):
        flood += [connect(server.url), connect(server.url)]
        flood[-1].send(HALF_A_HELLO)
        if turn > 250:  # the server has closed their other end already
            flood.pop(0).close()

    fresh = fetch.get(f"{server.url}/metrics", verify=trust)
    scraper.send(GET)

    assert fresh.status_code == 200
    assert scraper.receive_response().startswith(b"HTTP/1.1 200 OK")
    dropped = server.dropped
    assert dropped["displaced"] >= 1000 - 256 - dropped.get("failed_handshake", 0)


def test_no_farewell_holds_a_place(
    serve: conftest.Serve,
    web_file: conftest.WebFile,
    connect: conftest.Connect,
    trust: ssl.SSLContext,
) -> None:
    """A client that never answers our farewell makes room for the next."""
    server = serve(config_file=web_file(), bounds=web.Limits(connections=2))
    for _ in range(2):
        rude = connect(server.url, tls=trust)
        rude.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert rude.socket.recv(15) == b"HTTP/1.1 200 OK"

    assert fetch.get(f"{server.url}/metrics", verify=trust).status_code == 200
    assert server.dropped == {"displaced": 1}


@pytest.mark.parametrize("farewell", [b"", b"Connection: close\r\n"], ids=["kept", "closed"])
def test_large_exposition_arrives_whole(
    *,
    serve: conftest.Serve,
    web_file: conftest.WebFile,
    connect: conftest.Connect,
    trust: ssl.SSLContext,
    backend: conftest.Backend,
    farewell: bytes,
) -> None:
    """Four megabytes pass through TLS into a small buffer, whatever comes afterwards."""
    backend.metrics.body = b"x" * 4_000_000
    server = serve(config_file=web_file())
    client = connect(server.url, receive_buffer=16384, tls=trust)
    client.send(GET.replace(b"\r\n\r\n", b"\r\n" + farewell + b"\r\n"))

    assert client.receive_response().endswith(backend.metrics.body)
    assert server.dropped == {}


def test_slow_reader(
    serve: conftest.Serve,
    web_file: conftest.WebFile,
    connect: conftest.Connect,
    trust: ssl.SSLContext,
    backend: conftest.Backend,
) -> None:
    """A response that the peer does not read is given up, as it is without TLS."""
    backend.metrics.body = b"x" * 20_000_000
    server = serve(config_file=web_file(), bounds=web.Limits(response_seconds=QUICK))
    slow = connect(server.url, receive_buffer=4096, tls=trust)
    slow.send(GET)

    deadline.wait_until(lambda: server.dropped, 60, "giving up a slow reader")

    assert server.dropped == {"slow_reader": 1}
    assert fetch.get(f"{server.url}/-/healthy", verify=trust).status_code == 200


def test_close_with_handshakes_under_way(
    serve: conftest.Serve, web_file: conftest.WebFile, connect: conftest.Connect
) -> None:
    """Unfinished handshakes do not outlive the server."""
    server = serve(config_file=web_file(), bounds=web.Limits(handshake_seconds=90.0))
    clients = [connect(server.url) for _ in range(5)]
    deadline.wait_until(lambda: server.connections == 5, 60, "accepting")

    server.close()

    assert [client.receive_all() for client in clients] == [b""] * 5
