"""The server starts, says where it listens, and stops, with errors where they are due."""

from __future__ import annotations

import errno
import socket
import threading
from concurrent import futures
from typing import TYPE_CHECKING

import httpx
import pytest

from celery_sentinel import errors, web
from tests.servers import deadline, fetch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.web import conftest


@pytest.fixture
def taken_port() -> Iterator[int]:
    """Return a port on which somebody listens already."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


@pytest.fixture
def has_ipv6() -> bool:
    """Tell whether this machine has the IPv6 loopback address."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def test_free_port(serve: conftest.Serve) -> None:
    """Port 0 lets the system choose, and the URL tells the choice."""
    server = serve()

    assert server.alive
    assert not server.url.endswith(":0")
    assert fetch.get(f"{server.url}/metrics").status_code == 200


def test_several_addresses(serve: conftest.Serve) -> None:
    """Every address is served, and ``url`` is the first."""
    server = serve(addresses=[("127.0.0.1", 0), ("127.0.0.2", 0)])

    assert len(server.urls) == 2
    assert server.url == server.urls[0]
    assert server.urls[1].startswith("http://127.0.0.2:")
    assert [fetch.get(f"{url}/metrics").status_code for url in server.urls] == [200, 200]


def test_ipv6(serve: conftest.Serve, has_ipv6: bool) -> None:
    """An IPv6 address is served and written in brackets; without IPv6 it is refused."""
    if not has_ipv6:
        with pytest.raises(errors.ListenError, match=r"cannot listen on \[::1\]:0: "):
            serve(addresses=[("::1", 0)])
        return
    server = serve(addresses=[("::1", 0)])

    assert server.url.startswith("http://[::1]:")
    assert fetch.get(f"{server.url}/metrics").status_code == 200


def test_every_interface(serve: conftest.Serve, has_ipv6: bool) -> None:
    """An empty host is reached on one port over all that the machine has."""
    server = serve(addresses=[("", 0)])
    port = httpx.URL(server.url).port
    hosts = ["127.0.0.1", "[::1]"] if has_ipv6 else ["127.0.0.1"]

    answers = [fetch.get(f"http://{host}:{port}/metrics").status_code for host in hosts]

    assert answers == [200] * len(hosts)


def test_host_name(serve: conftest.Serve) -> None:
    """A name is resolved, to IPv4 when it has both."""
    assert serve(addresses=[("localhost", 0)]).url.startswith("http://127.0.0.1:")


def test_port_in_use(serve: conftest.Serve, taken_port: int) -> None:
    """A port that somebody has is an error with exit code 3 that says how to go on."""
    with pytest.raises(errors.ListenError) as raised:
        serve(addresses=[("127.0.0.1", taken_port)])

    assert str(raised.value) == (
        f"cannot listen on 127.0.0.1:{taken_port}: Address already in use. Another process has "
        "this port (`ss -ltnp` names it): stop it, or choose another address with "
        "--web.listen-address."
    )
    assert raised.value.exit_code == 3


def test_all_addresses_or_none(serve: conftest.Serve, taken_port: int) -> None:
    """When one address cannot be had, the others are given back and no thread is left."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free = probe.getsockname()[1]

    with pytest.raises(errors.ListenError):
        serve(addresses=[("127.0.0.1", free), ("127.0.0.1", taken_port)])

    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", free)) == errno.ECONNREFUSED
    assert "web" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        (("192.0.2.1", 0), "192.0.2.1:0: Cannot assign requested address. No interface of this"),
        (("two..dots", 0), "the host name cannot be resolved"),
        (("a" * 300, 0), "the host name cannot be resolved"),
        (("127.0.0.1", 65536), "a port is a number from 0 to 65535"),
    ],
    ids=["foreign", "dots", "long", "port"],
)
def test_unusable_address(serve: conftest.Serve, address: tuple[str, int], reason: str) -> None:
    """Every address that cannot be had says why and points to the flag."""
    with pytest.raises(errors.ListenError) as raised:
        serve(addresses=[address])

    assert reason in str(raised.value)
    assert "--web.listen-address" in str(raised.value)


def test_no_address(serve: conftest.Serve) -> None:
    """A server without an address is an error, not a server that nobody can reach."""
    with pytest.raises(errors.ListenError, match="no address was given"):
        serve(addresses=[])


def test_close(serve: conftest.Serve) -> None:
    """After close() the port is free, the thread is gone, and closing again does nothing."""
    server = serve()
    port = httpx.URL(server.url).port

    server.close()
    server.close()

    assert not server.alive
    again = serve(addresses=[("127.0.0.1", port)])
    assert fetch.get(f"{again.url}/metrics").status_code == 200


def test_close_waits_for_a_scrape(serve: conftest.Serve, backend: conftest.Backend) -> None:
    """A scrape under way when the server is closed is finished."""
    server = serve(bounds=web.Limits(drain_seconds=60))
    backend.metrics.may_finish.clear()
    with futures.ThreadPoolExecutor(2) as pool:
        scrape = pool.submit(fetch.get, f"{server.url}/metrics")
        assert backend.metrics.rendering.wait(60)
        closing = pool.submit(server.close)
        deadline.wait_until(lambda: _refused(server.url), 60, "no new connections")
        backend.metrics.may_finish.set()
        closing.result(60)

    assert scrape.result().text == "celery_broker_up 1\n"
    assert not server.alive


def test_close_does_not_wait_for_ever(
    serve: conftest.Serve, backend: conftest.Backend, connect: conftest.Connect
) -> None:
    """A rendering that hangs and a client that stalls hold the end up for a moment only."""
    server = serve(bounds=web.Limits(drain_seconds=1))
    backend.metrics.may_finish.clear()
    stalled, scraper = connect(server.url), connect(server.url)
    stalled.send(b"GET /met")
    scraper.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
    assert backend.metrics.rendering.wait(60)

    server.close()

    assert not server.alive
    assert stalled.receive_all() == b""


def test_nothing_on_the_terminal(serve: conftest.Serve, capfd: pytest.CaptureFixture[str]) -> None:
    """Starting, serving and stopping write nothing: the daemon has its own log."""
    server = serve()
    fetch.get(f"{server.url}/metrics")
    fetch.get(f"{server.url}/nothing")
    server.close()

    assert capfd.readouterr() == ("", "")


def _refused(url: str) -> bool:
    where = httpx.URL(url)
    with socket.socket() as client:
        return client.connect_ex((where.host, where.port)) == errno.ECONNREFUSED
