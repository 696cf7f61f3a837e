"""What the integration tests share: a daemon that is connected before anything happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.servers import daemon, deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import conftest


@pytest.fixture
def watch(start_daemon: conftest.StartDaemon) -> Callable[..., daemon.Daemon]:
    """Start a daemon on a broker that is up, and wait until it is subscribed."""

    def start(broker_url: str, **options: Any) -> daemon.Daemon:
        sentinel = start_daemon(broker_url, **options)
        wait_up(sentinel)
        return sentinel

    return start


def wait_up(sentinel: daemon.Daemon, *, up: int = 1, seconds: float = 30.0) -> None:
    """Wait until ``celery_broker_up`` is ``up``."""
    deadline.wait_until(
        lambda: daemon.total(sentinel.scrape(), "celery_broker_up") == up,
        seconds,
        f"celery_broker_up is {up}",
    )
