"""``celery-sentinel healthcheck``, which containers without a shell or curl are asked with."""

from __future__ import annotations

import http.server
import socket
import threading
from typing import TYPE_CHECKING

import bcrypt
import pytest
import yaml

from tests.acceptance import console
from tests.servers import deadline

if TYPE_CHECKING:
    import pathlib
    import subprocess
    from collections.abc import Iterator

    from tests import conftest
    from tests.servers import certificates, redis

VARIABLE = "CELERY_SENTINEL_HEALTHCHECK_URL"


class Redirecting(http.server.BaseHTTPRequestHandler):
    """Sends everybody elsewhere."""

    def do_GET(self) -> None:
        """Answer with the address of a page that is there."""
        self.send_response(302 if self.path == "/" else 200)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def redirecting() -> Iterator[str]:
    """Serve redirections, at this URL."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Redirecting) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def ask(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Return what the command said; it asks again where a busy daemon took three seconds."""

    def answered() -> subprocess.CompletedProcess[str] | None:
        done = console.call("healthcheck", *arguments, **variables)
        return None if "timed out" in done.stderr else done

    found = deadline.wait_until(answered, 90, "an answer")
    assert found is not None
    return found


def test_a_daemon_is_healthy_until_it_hangs(
    redis_server: redis.RedisServer, start_daemon: conftest.StartDaemon
) -> None:
    """Exit code 0 while it answers, 1 when it does not; the proxy of others is not asked."""
    sentinel = start_daemon(redis_server.url)
    url = f"{sentinel.url}/-/healthy"
    proxy = "http://127.0.0.1:1"
    asked = {VARIABLE: url, "http_proxy": proxy}
    assert ask(**asked).returncode == 0
    assert ask(url).returncode == 0

    sentinel.pause()
    done = console.call("healthcheck", url)
    sentinel.resume()
    assert done.returncode == 1
    assert "timed out" in done.stderr


def test_tls_and_passwords_are_no_obstacle(
    start_daemon: conftest.StartDaemon, tls: certificates.Certificates, tmp_path: pathlib.Path
) -> None:
    """Health is told without a password, and an unknown authority does not matter."""
    file = tmp_path / "web.yml"
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    server = {"cert_file": str(tls.cert_file), "key_file": str(tls.key_file)}
    file.write_text(
        yaml.safe_dump({"tls_server_config": server, "basic_auth_users": {"a": hashed}})
    )
    sentinel = start_daemon("redis://127.0.0.1:1/0", args=["--web.config.file", str(file)])
    assert sentinel.url.startswith("https://")

    assert ask(f"{sentinel.url}/-/healthy").returncode == 0
    done = ask(f"{sentinel.url}/metrics")
    assert done.returncode == 1
    assert "answered 401" in done.stderr


def test_what_a_daemon_is_not_ready_for_is_told(start_daemon: conftest.StartDaemon) -> None:
    """Another answer than 200 is a failure that quotes it."""
    sentinel = start_daemon("redis://127.0.0.1:1/0")
    done = ask(f"{sentinel.url}/-/ready")
    assert done.returncode == 1
    assert "answered 503: " in done.stderr


def test_it_follows_nobody_elsewhere(redirecting: str) -> None:
    """A redirection is no answer of ours."""
    done = console.call("healthcheck", redirecting)
    assert done.returncode == 1
    assert "answered 302" in done.stderr


@pytest.mark.parametrize("url", ["ftp://host/", "file:///etc/passwd", "host:9808", "http://[::1/"])
def test_what_is_no_url_is_refused(url: str) -> None:
    """Exit code 2 is a mistake of the operator."""
    done = console.call("healthcheck", url)
    assert done.returncode == 2
    assert "such as http://127.0.0.1:9808/-/healthy" in done.stderr


@pytest.mark.parametrize("tail", ["/ x", ":99999/", ":no/"])
def test_garbage_is_told_in_a_line(tail: str) -> None:
    """Nothing crashes, and no password is shown."""
    done = console.call("healthcheck", f"http://someone:hushhush@127.0.0.1{tail}")
    assert done.returncode in (1, 2)
    assert len(done.stderr.splitlines()) == 1
    assert "hushhush" not in done.stderr


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 2000 ?\r\n\r\n"])
def test_a_stranger_is_no_daemon(said: bytes) -> None:
    """What does not speak HTTP is not healthy."""

    def greet(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=greet, args=(server,))
        thread.start()
        done = console.call("healthcheck", f"http://127.0.0.1:{server.getsockname()[1]}/")
        thread.join()
    assert done.returncode == 1
    assert "did not answer" in done.stderr
