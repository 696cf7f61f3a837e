"""Servers on free ports in front of a small daemon that the tests can steer."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib import parse

import pytest
import yaml

from celery_sentinel import web
from celery_sentinel.status import schema as status_schema
from tests.servers import certificates

if TYPE_CHECKING:
    import pathlib

LOOPBACK = ("127.0.0.1", 0)


class Exposition:
    """A source of metrics that can be large, slow or broken."""

    def __init__(self) -> None:
        self.body = b"celery_broker_up 1\n"
        self.failure: Exception | None = None
        self.renders = 0
        self.unheld: list[bool] = []
        self.at_once = 0
        self.most_at_once = 0
        self.rendering = threading.Event()
        self.may_finish = threading.Event()
        self.may_finish.set()

    def render(self, *, openmetrics: bool, unheld: bool) -> bytes:
        """Return the body once the test lets it."""
        self.unheld.append(unheld)
        self.at_once += 1
        self.renders += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.rendering.set()
        self.may_finish.wait(30)
        self.at_once -= 1
        if self.failure is not None:
            raise self.failure
        return self.body + b"# EOF\n" if openmetrics else self.body


class Backend:
    """What the server speaks for: everything is well until a test says otherwise."""

    def __init__(self) -> None:
        self.metrics = Exposition()
        self.healthy = web.Health(ok=True)
        self.ready = web.Health(ok=True)
        self.reload_reason: str | None = None
        self.reloads = 0
        self.status = status_schema.Status(
            version="0.1.0",
            started=1_700_000_000.0,
            uptime_seconds=5.0,
            ready=True,
            broker=status_schema.BrokerStatus(
                url="redis://localhost:6379/0",
                transport="redis",
                up=True,
                since=1_700_000_001.0,
                last_error=None,
                gaps=0,
                gap_seconds=0.0,
            ),
            events=status_schema.EventsStatus(
                total=7, rejected={}, last_event_seconds=0.5, tracked_tasks=2
            ),
            workers=(),
            queues=(),
            busiest=(),
            failing=(),
            notes=(),
        )

    def reload(self) -> str | None:
        """Take the configuration again."""
        self.reloads += 1
        return self.reload_reason


class Client:
    """One TCP connection, for what no HTTP library would send."""

    def __init__(
        self,
        url: str,
        receive_buffer: int | None = None,
        tls: ssl.SSLContext | None = None,
        source: str = "127.0.0.1",
    ) -> None:
        where = parse.urlsplit(url)
        self.socket = socket.socket()
        if where.hostname == "127.0.0.1":
            self.socket.bind((source, 0))
        self.socket.settimeout(60)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect((where.hostname, where.port))
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname=where.hostname)

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.socket.sendall(data)

    def receive_all(self) -> bytes:
        """Return all that comes until the server closes or resets the connection."""
        received = bytearray()
        with contextlib.suppress(ConnectionResetError, ssl.SSLError):
            while chunk := self.socket.recv(65536):
                received += chunk
        return bytes(received)

    def receive_response(self) -> bytes:
        """Return one response with a Content-Length; the connection stays open."""
        received = bytearray()
        while b"\r\n\r\n" not in received:
            received += self._some()
        head, _, body = bytes(received).partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        while len(body) < length:
            body += self._some()
        return head + b"\r\n\r\n" + body

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def _some(self) -> bytes:
        chunk = self.socket.recv(65536)
        assert chunk, "the server closed in the middle of a response"
        return chunk


# The options are those of web.start.
Serve = Callable[..., web.WebServer]
Connect = Callable[..., Client]
# Sections by name go in, the path comes out.
WebFile = Callable[..., str]


@pytest.fixture
def backend() -> Iterator[Backend]:
    """Return a daemon in good health; no rendering of it outlives the test."""
    made = Backend()
    yield made
    made.metrics.may_finish.set()


@pytest.fixture
def serve(backend: Backend) -> Iterator[Serve]:
    """Start servers in front of ``backend``; all are closed when the test is over."""
    with contextlib.ExitStack() as stack:

        def start(*, lifecycle: bool = False, **options: Any) -> web.WebServer:
            settings: dict[str, Any] = {
                "addresses": [LOOPBACK],
                "telemetry_path": "/metrics",
                "bounds": web.Limits(drain_seconds=1),
                **options,
            }
            server = web.start(
                metrics=backend.metrics,
                status=lambda: backend.status,
                healthy=lambda: backend.healthy,
                ready=lambda: backend.ready,
                reload=backend.reload if lifecycle else None,
                **settings,
            )
            stack.callback(server.close)
            return server

        yield start
        backend.metrics.may_finish.set()


@pytest.fixture
def issued(tmp_path: pathlib.Path) -> certificates.Certificates:
    """Issue certificates that this test alone may replace, beside its web config file."""
    return certificates.Certificates(tmp_path)


@pytest.fixture
def web_file(tmp_path: pathlib.Path, issued: certificates.Certificates) -> WebFile:
    """Write the web config file; TLS is on unless ``tls`` says otherwise."""
    path = tmp_path / "web.yml"

    def write(**sections: Any) -> str:
        pair = {"cert_file": issued.cert_file.name, "key_file": issued.key_file.name}
        tls = sections.pop("tls", {})
        if tls is not None:
            sections["tls_server_config"] = {**pair, **tls}
        path.write_text(yaml.safe_dump(sections))
        return str(path)

    return write


@pytest.fixture
def trust(issued: certificates.Certificates) -> ssl.SSLContext:
    """Return the context of a client that trusts our authority."""
    return ssl.create_default_context(cafile=str(issued.ca_file))


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Open raw connections; all are closed when the test is over."""
    with contextlib.ExitStack() as stack:

        def open_one(url: str, receive_buffer: int | None = None, **options: Any) -> Client:
            client = Client(url, receive_buffer, **options)
            stack.callback(client.close)
            return client

        yield open_one
