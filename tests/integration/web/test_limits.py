"""No client, however slow or numerous, keeps the server from the others."""

from __future__ import annotations

import time
from concurrent import futures
from typing import TYPE_CHECKING

import pytest

from celery_sentinel import web
from tests.servers import deadline, fetch

if TYPE_CHECKING:
    from tests.integration.web import conftest


GET = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
QUICK = 0.3
"""Seconds that a connection gets in these tests, in place of ten and more."""
ENOUGH = 4.0
"""The same where something has to be done in time, on a machine that may stand still a while."""
PATIENT = {"request_seconds": 90.0, "idle_seconds": 90.0}
"""Limits under which nobody is dropped for being late."""


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /metrics HT",
        b"GET /metrics HTTP/1.1\r\nHost: a\r\nX-Slow: ",
        b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf",
        b"POST /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf",
    ],
)
def test_late_request(serve: conftest.Serve, connect: conftest.Connect, sent: bytes) -> None:
    """A request that does not arrive whole in time ends its connection."""
    server = serve(bounds=web.Limits(request_seconds=QUICK))
    since = time.monotonic()
    client = connect(server.url)
    client.send(sent)

    assert client.receive_all() == b""
    assert time.monotonic() - since > QUICK * 0.8
    assert server.dropped == {"late_request": 1}


def test_trickled_request(serve: conftest.Serve, connect: conftest.Connect) -> None:
    """A byte now and then does not wind the clock up again."""
    server = serve(bounds=web.Limits(request_seconds=QUICK))
    client = connect(server.url)
    client.send(b"GET /metrics HTTP/1.1\r\n")

    def trickle() -> bool:
        try:
            client.send(b"X: y\r\n")
        except (ConnectionResetError, BrokenPipeError):
            return True
        return bool(server.dropped)

    assert deadline.wait_until(trickle, 60, "the end of a trickling connection")
    assert server.dropped == {"late_request": 1}


def test_idle_connection(serve: conftest.Serve, connect: conftest.Connect) -> None:
    """A connection serves several requests and is closed when it stays idle."""
    server = serve(bounds=web.Limits(idle_seconds=ENOUGH))
    client = connect(server.url)
    for _ in range(3):
        client.send(GET)
        assert client.receive_response().startswith(b"HTTP/1.1 200 OK")

    assert client.receive_all() == b""
    assert server.dropped == {"idle": 1}


def test_second_request_is_timed_too(serve: conftest.Serve, connect: conftest.Connect) -> None:
    """A connection that was served once has no more patience for its next request."""
    server = serve(bounds=web.Limits(request_seconds=ENOUGH, idle_seconds=60))
    client = connect(server.url)
    client.send(GET)
    client.receive_response()
    client.send(b"GET /met")

    assert client.receive_all() == b""
    assert server.dropped == {"late_request": 1}


def test_pipelined_requests(serve: conftest.Serve, connect: conftest.Connect) -> None:
    """Requests sent at once are answered one after the other."""
    client = connect(serve().url)
    client.send(GET * 3)

    received = b""
    while received.count(b"celery_broker_up 1\n") < 3:
        received += client.socket.recv(65536)

    assert received.count(b"HTTP/1.1 200 OK") == 3


def test_slow_rendering_is_not_a_late_request(
    serve: conftest.Serve, connect: conftest.Connect, backend: conftest.Backend
) -> None:
    """While we owe the response no clock of the peer's runs."""
    server = serve(bounds=web.Limits(request_seconds=ENOUGH, idle_seconds=0.1))
    backend.metrics.may_finish.clear()
    client = connect(server.url)
    client.send(GET)
    assert backend.metrics.rendering.wait(60)
    silent = connect(server.url)  # is dropped later than the other would have been
    assert silent.receive_all() == b""

    backend.metrics.may_finish.set()

    assert client.receive_response().startswith(b"HTTP/1.1 200 OK")


def test_flood_of_idle_connections(serve: conftest.Serve, connect: conftest.Connect) -> None:
    """Three hundred silent clients hold 256 places at most, and a scrape gets one of them."""
    server = serve(bounds=web.Limits(**PATIENT))
    flood = [connect(server.url) for _ in range(300)]

    response = fetch.get(f"{server.url}/metrics")

    assert response.status_code == 200
    displaced = 300 + 1 - 256
    deadline.wait_until(lambda: server.dropped.get("displaced") == displaced, 60, "displacing")
    assert flood[0].receive_all() == b""  # the oldest went first


def test_a_flood_displaces_its_own_address(
    serve: conftest.Serve, connect: conftest.Connect
) -> None:
    """A scraper from elsewhere that has not spoken yet outlasts any number of silent clients."""
    server = serve(bounds=web.Limits(connections=3, **PATIENT))
    scraper = connect(server.url, source="127.0.0.2")
    for _ in range(10):
        connect(server.url)
    deadline.wait_until(lambda: server.dropped.get("displaced") == 8, 60, "displacing the flood")

    scraper.send(GET)

    assert scraper.receive_response().startswith(b"HTTP/1.1 200 OK")


def test_silent_connections_go_before_idle_ones(
    serve: conftest.Serve, connect: conftest.Connect
) -> None:
    """A scraper between two scrapes keeps its connection in a flood of silent clients."""
    server = serve(bounds=web.Limits(connections=3, **PATIENT))
    scraper = connect(server.url)
    scraper.send(GET)
    scraper.receive_response()
    for _ in range(10):
        connect(server.url)
    deadline.wait_until(lambda: server.dropped.get("displaced") == 8, 60, "displacing the silent")

    scraper.send(GET)

    assert scraper.receive_response().startswith(b"HTTP/1.1 200 OK")


def test_no_place_is_taken_from_who_is_served(
    serve: conftest.Serve, connect: conftest.Connect, backend: conftest.Backend
) -> None:
    """When every connection is being served, the newcomer is turned away."""
    server = serve(bounds=web.Limits(connections=1))
    backend.metrics.may_finish.clear()
    served = connect(server.url)
    served.send(GET)
    assert backend.metrics.rendering.wait(60)

    assert connect(server.url).receive_all() == b""
    assert server.dropped == {"all_busy": 1}
    backend.metrics.may_finish.set()
    assert served.receive_response().startswith(b"HTTP/1.1 200 OK")


def test_slow_reader(
    serve: conftest.Serve, connect: conftest.Connect, backend: conftest.Backend
) -> None:
    """A response that the peer does not read is given up, and others are served meanwhile."""
    backend.metrics.body = b"x" * 20_000_000
    server = serve(bounds=web.Limits(response_seconds=QUICK))
    slow = connect(server.url, receive_buffer=4096)
    slow.send(GET)

    deadline.wait_until(lambda: server.dropped, 60, "giving up a slow reader")

    assert server.dropped == {"slow_reader": 1}
    assert len(slow.receive_all()) < len(backend.metrics.body)
    assert fetch.get(f"{server.url}/-/healthy").status_code == 200


def test_slowest_reader_makes_room(
    serve: conftest.Serve, connect: conftest.Connect, backend: conftest.Backend
) -> None:
    """Readers that do not read cannot hold all places against a scrape that does."""
    backend.metrics.body = b"x" * 20_000_000
    server = serve(bounds=web.Limits(readers=2))
    for _ in range(2):
        slow = connect(server.url, receive_buffer=4096)
        slow.send(GET)
        assert slow.socket.recv(15) == b"HTTP/1.1 200 OK"

    response = fetch.get(f"{server.url}/metrics", headers={"Accept-Encoding": "identity"})

    assert len(response.content) == len(backend.metrics.body)


def test_simultaneous_scrapes_share_a_rendering(
    serve: conftest.Serve, connect: conftest.Connect, backend: conftest.Backend
) -> None:
    """Scrapes that come while one is rendered get the same, and a probe does not wait."""
    url = serve().url
    backend.metrics.may_finish.clear()
    scrapers = [connect(url) for _ in range(8)]
    for scraper in scrapers:
        scraper.send(GET)
    assert backend.metrics.rendering.wait(60)

    assert fetch.get(f"{url}/-/healthy").status_code == 200
    backend.metrics.may_finish.set()

    assert {scraper.receive_response()[:15] for scraper in scrapers} == {b"HTTP/1.1 200 OK"}
    assert backend.metrics.renders == 1


def test_one_rendering_at_a_time(serve: conftest.Serve, backend: conftest.Backend) -> None:
    """Scrapes that cannot share, for their format or their coding, come one after the other."""
    url = f"{serve().url}/metrics"
    wishes = [
        {"Accept": accept, "Accept-Encoding": coding}
        for accept in ("text/plain", "application/openmetrics-text")
        for coding in ("gzip", "identity")
    ]
    with futures.ThreadPoolExecutor(len(wishes)) as pool:
        responses = list(pool.map(lambda headers: fetch.get(url, headers=headers), wishes * 3))

    assert {response.status_code for response in responses} == {200}
    assert backend.metrics.most_at_once == 1


def test_scrapes_after_another_are_fresh(serve: conftest.Serve, backend: conftest.Backend) -> None:
    """Nothing is kept from one scrape to the next."""
    url = f"{serve().url}/metrics"
    fetch.get(url)
    backend.metrics.body = b"celery_broker_up 0\n"

    assert fetch.get(url).text == "celery_broker_up 0\n"
