"""What the integration tests share: a daemon that is connected before anything happens."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration import hostile
from tests.servers import daemon, deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests import conftest


@pytest.fixture
def watch(start_daemon: conftest.StartDaemon) -> Callable[..., daemon.Daemon]:
    """Start a daemon on a broker that is up, and wait until it is subscribed."""

    def start(broker_url: str, **options: Any) -> daemon.Daemon:
        sentinel = start_daemon(broker_url, **options)
        wait_up(sentinel)
        return sentinel

    return start


@pytest.fixture
def publisher(broker: Any) -> Iterator[hostile.Publisher]:
    """Connect a publisher to the broker of the test."""
    with contextlib.closing(hostile.Publisher(broker)) as connected:
        yield connected


def wait_up(sentinel: daemon.Daemon, *, up: int = 1, seconds: float = 90.0) -> None:
    """Wait until ``celery_broker_up`` is ``up``."""
    deadline.wait_until(
        lambda: daemon.total(sentinel.scrape(), "celery_broker_up") == up,
        seconds,
        f"celery_broker_up is {up}",
    )
