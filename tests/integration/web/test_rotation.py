"""The web config file and its certificates change while the server runs."""

from __future__ import annotations

import os
import shutil
import ssl
from typing import TYPE_CHECKING

import pytest

from tests.integration.web.test_limits import GET
from tests.servers import deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from celery_sentinel import web
    from tests.integration.web import conftest
    from tests.servers import certificates


@pytest.fixture
def presented(
    connect: conftest.Connect, trust: ssl.SSLContext
) -> Callable[[web.WebServer], bytes | None]:
    """Return what asks a server, after a look at its files, for its certificate in DER."""

    def ask(server: web.WebServer) -> bytes | None:
        server.look()
        client = connect(server.url, tls=trust)
        assert isinstance(client.socket, ssl.SSLSocket)
        return client.socket.getpeercert(binary_form=True)

    return ask


def figure(server: web.WebServer, name: str) -> float | None:
    """Return the value of a metric of the server that has no labels."""
    for family in server.families():
        if family.metric.name == name:
            value = family.children[0][1]
            assert isinstance(value, int | float)
            return value
    return None


OK = "celery_sentinel_web_config_last_reload_successful"
EXPIRY = "celery_sentinel_web_certificate_expiry_timestamp_seconds"


def test_a_new_certificate(
    *,
    serve: conftest.Serve,
    web_file: conftest.WebFile,
    connect: conftest.Connect,
    trust: ssl.SSLContext,
    issued: certificates.Certificates,
    presented: Callable[[web.WebServer], bytes | None],
) -> None:
    """New connections get it without a restart, and those that are open stay."""
    server = serve(config_file=web_file())
    before = presented(server)
    client = connect(server.url, tls=trust)
    issued.issue("")

    deadline.wait_until(lambda: presented(server) != before, 60, "the new certificate")

    client.send(GET)
    assert client.receive_response().startswith(b"HTTP/1.1 200 OK")
    assert figure(server, OK) == 1
    assert (figure(server, EXPIRY) or 0) > 1e9


def test_swapped_by_a_link(
    serve: conftest.Serve,
    web_file: conftest.WebFile,
    issued: certificates.Certificates,
    presented: Callable[[web.WebServer], bytes | None],
) -> None:
    """Kubernetes exchanges a directory of secrets by one symbolic link; that is seen."""
    here = issued.cert_file.parent
    for name in ("one", "two"):
        (here / name).mkdir()
        for file in issued.issue(f"{name}-"):
            shutil.move(file, here / name / file.name.removeprefix(f"{name}-"))
    (here / "now").symlink_to("one")
    tls = {"cert_file": "now/cert.pem", "key_file": "now/key.pem"}
    server = serve(config_file=web_file(tls=tls))
    before = presented(server)
    (here / "next").symlink_to("two")
    (here / "next").rename(here / "now")

    deadline.wait_until(lambda: presented(server) != before, 60, "the other certificate")


def test_a_broken_pair_keeps_the_old_one(
    serve: conftest.Serve,
    web_file: conftest.WebFile,
    issued: certificates.Certificates,
    presented: Callable[[web.WebServer], bytes | None],
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A key that does not belong is told once, by the log and a metric, until it is mended."""
    server = serve(config_file=web_file())
    before = presented(server)
    old_key = issued.key_file.read_bytes()
    other_cert, other_key = issued.issue("other-")
    shutil.copy(other_key, issued.key_file)
    deadline.wait_until(lambda: presented(server) and figure(server, OK) == 0, 60, "an error")
    os.utime(issued.key_file)  # the same mistake, seen again
    for _ in range(5):
        assert presented(server) == before

    logged = "".join(capfd.readouterr())
    assert logged.count("web_config_failed") == 1
    assert "tls_server_config.key_file" in logged
    assert "does not belong to the certificate" in logged
    assert old_key.decode().splitlines()[1] not in logged
    shutil.copy(other_cert, issued.cert_file)
    deadline.wait_until(lambda: presented(server) != before, 60, "the other pair")
    assert figure(server, OK) == 1


def test_a_file_that_goes(
    serve: conftest.Serve,
    web_file: conftest.WebFile,
    presented: Callable[[web.WebServer], bytes | None],
    issued: certificates.Certificates,
) -> None:
    """Without its web config file the server goes on as it was, and says so in a metric."""
    server = serve(config_file=web_file())
    before = presented(server)
    (issued.cert_file.parent / "web.yml").unlink()

    deadline.wait_until(lambda: presented(server) and figure(server, OK) == 0, 60, "a failure")
    assert presented(server) == before


def test_tls_is_never_lost(
    serve: conftest.Serve,
    web_file: conftest.WebFile,
    presented: Callable[[web.WebServer], bytes | None],
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A file without its TLS section does not make a server speak in clear."""
    server = serve(config_file=web_file())
    before = presented(server)
    web_file(tls=None)

    deadline.wait_until(lambda: presented(server) and figure(server, OK) == 0, 60, "a refusal")

    assert presented(server) == before
    assert "TLS cannot be switched on or off" in "".join(capfd.readouterr())
