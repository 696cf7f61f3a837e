"""A broker URL that leads to something else says what answers there, and what to write instead."""

from __future__ import annotations

import http.server
import threading
from typing import TYPE_CHECKING

import pytest

from tests.integration.health import told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests import conftest
    from tests.servers import certificates, daemon, rabbitmq

pytestmark = pytest.mark.xdist_group("rabbitmq-health")


@pytest.fixture(scope="module")
def web_port() -> Iterator[int]:
    """Serve HTTP on a port of its own."""
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), http.server.BaseHTTPRequestHandler
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def sentinel_told(start_daemon: conftest.StartDaemon) -> Callable[[str, str], str]:
    """Start a daemon on a URL; return what it tells of why the broker cannot be used."""

    def start(url: str, reason: str) -> str:
        sentinel = start_daemon(url, config=told.config())
        text = told.trouble(sentinel, reason)
        assert sentinel.get("/-/ready").status_code == 503
        told.eventually(
            lambda: text[-30:] in (told.broker_of(sentinel)["last_error"] or ""), "the last error"
        )
        told.eventually(lambda: lines_of(sentinel), "the log says it")
        (line,) = lines_of(sentinel)
        assert text[-30:] in line
        return text

    return start


def lines_of(sentinel: daemon.Daemon) -> list[str]:
    """Return what the log says about the stream: one line for a change of state."""
    return [line for line in sentinel.stderr_text.splitlines() if "broker_unreachable" in line]


@pytest.mark.parametrize("scheme", ["redis", "rediss", "amqp", "amqps"])
def test_an_http_server(
    scheme: str, web_port: int, sentinel_told: Callable[[str, str], str]
) -> None:
    """As when a port is mistaken, or the management API is taken for the broker."""
    text = sentinel_told(f"{scheme}://127.0.0.1:{web_port}", "wrong_protocol")
    assert "an HTTP server answers there: give the broker's port" in text
    assert ("broker.management_url" in text) == scheme.startswith("amqp")


def test_the_management_api(
    own_node: rabbitmq.RabbitServer, sentinel_told: Callable[[str, str], str]
) -> None:
    """The real one, by HTTP."""
    where = own_node.management_url.partition("//")[2].rpartition("@")[2]
    text = sentinel_told(f"amqp://{where}", "wrong_protocol")
    assert "an HTTP server answers there" in text


def test_the_other_broker(
    own_node: rabbitmq.RabbitServer,
    start_redis: conftest.StartRedis,
    sentinel_told: Callable[[str, str], str],
) -> None:
    """Redis where RabbitMQ is said to be, and the reverse."""
    redis = start_redis()
    text = sentinel_told(f"amqp://127.0.0.1:{redis.port}", "wrong_protocol")
    assert "redis answers there: use redis://" in text.lower()
    text = sentinel_told(f"redis://127.0.0.1:{own_node.port}", "wrong_protocol")
    assert "AMQP answers there: use amqp://" in text


def test_tls_where_none_is_spoken(
    rabbitmq_server: rabbitmq.RabbitServer,
    start_redis: conftest.StartRedis,
    sentinel_told: Callable[[str, str], str],
) -> None:
    """The scheme says TLS, and the server does not."""
    redis = start_redis()
    text = sentinel_told(f"rediss://127.0.0.1:{redis.port}", "tls")
    assert "Redis without TLS answers there: use redis://" in text
    text = sentinel_told(f"amqps://127.0.0.1:{rabbitmq_server.port}", "tls")
    assert "AMQP without TLS answers there: use amqp://" in text


def test_no_tls_where_only_that_is_spoken(
    rabbitmq_server: rabbitmq.RabbitServer,
    start_redis: conftest.StartRedis,
    tls: certificates.Certificates,
    sentinel_told: Callable[[str, str], str],
) -> None:
    """The port is that of TLS, and the scheme does not say so."""
    for server, scheme in ((start_redis(certificates=tls), "redis"), (rabbitmq_server, "amqp")):
        encrypted = server.tls_url
        port = encrypted.rpartition(":")[2].partition("/")[0]
        text = sentinel_told(f"{scheme}://127.0.0.1:{port}", "tls")
        assert f"what answers there speaks TLS: use {scheme}s://" in text
