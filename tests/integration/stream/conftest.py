"""What the tests of the stream share: a proxy before the broker, and workers made of heartbeats."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import pytest

from tests.integration import conftest as shared
from tests.servers import daemon, flood, proxy

if TYPE_CHECKING:
    import contextlib

    from tests import conftest

StartProxy = Callable[[str], proxy.Proxy]
StartBeating = Callable[..., "Beating"]
WatchStream = Callable[..., daemon.Daemon]

GAPS = "celery_sentinel_stream_gaps_total"
GAP_SECONDS = "celery_sentinel_stream_gap_seconds_total"
RESUMPTIONS = "celery_sentinel_stream_resumptions_total"
EVENTS = "celery_sentinel_events_total"


class Beating:
    """A worker as far as its heartbeats go: one a second; ``pause`` is a silence.

    While ``quiet`` is held no heartbeat is published.
    """

    def __init__(self, url: str) -> None:
        self.quiet = threading.Lock()
        self._stopped = threading.Event()
        self._flood = flood.Flood(url)
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def pause(self) -> None:
        """Fall silent without a goodbye."""
        self._stopped.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._stopped.wait(1):
            with self.quiet:
                self._flood.publish([flood.heartbeat(freq=1.0)])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.pause()
        self._flood.close()


@pytest.fixture
def start_proxy(closing: contextlib.ExitStack) -> StartProxy:
    """Put a proxy before the server of a URL."""

    def start(url: str) -> proxy.Proxy:
        return closing.enter_context(proxy.Proxy(urlsplit(url).port or 0))

    return start


@pytest.fixture
def start_beating(closing: contextlib.ExitStack) -> StartBeating:
    """Start workers that do nothing but beat."""

    def start(url: str) -> Beating:
        return closing.enter_context(Beating(url))

    return start


@pytest.fixture
def open_flood(closing: contextlib.ExitStack) -> Callable[[str], flood.Flood]:
    """Connect somebody who publishes bursts."""

    def connect(url: str) -> flood.Flood:
        return closing.enter_context(flood.Flood(url))

    return connect


@pytest.fixture
def watch_stream(start_daemon: conftest.StartDaemon) -> WatchStream:
    """Start a daemon with more lines of configuration, and wait until it is subscribed."""

    def start(url: str, config: str = "", **options: Any) -> daemon.Daemon:
        text = f"metrics: {{zero_born_hold: 0s}}\n{config}"
        sentinel = start_daemon(url, config=text, **options)
        shared.wait_up(sentinel)
        return sentinel

    return start


def back_at(sentinel: daemon.Daemon) -> float:
    """Return when the stream stood again (epoch seconds), which a scrape may see much later."""
    found = sentinel.get("/api/v1/status").json()["broker"]
    assert found["up"]
    return float(found["since"])


def value(sentinel: daemon.Daemon, name: str, /, **labels: str) -> float:
    """Scrape and return a metric; 0 where it has no sample."""
    return daemon.total(sentinel.scrape(), name, **labels) or 0
