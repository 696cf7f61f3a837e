"""An application with a control_exchange of its own is asked there, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.config import schema
from celery_sentinel.remote_control import client as remote_control
from tests.integration.workers import conftest
from tests.servers import deadline

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable

    from tests import conftest as fixtures
    from tests.servers import daemon, server

_EXCHANGE = "shop-control"


def test_workers_of_another_exchange_answer(
    broker: server.Broker, start_worker: fixtures.StartWorker, closing: contextlib.ExitStack
) -> None:
    """Who is asked at the default exchange is not there, and hears nothing."""
    worker = start_worker(
        broker.url, config={"control_exchange": _EXCHANGE}, extra_args=("--without-mingle",)
    )
    asked = {
        name: remote_control.Control(
            schema.Config(broker=schema.Broker(url=broker.url, control_exchange=name))
        )
        for name in (_EXCHANGE, "celery")
    }
    for asking in asked.values():
        closing.callback(asking.close)

    (found,) = conftest.answered(asked[_EXCHANGE], [worker.hostname])
    assert (found.pool, found.concurrency) == ("prefork", 2)
    assert asked["celery"].ask(expected=[worker.hostname], timeout=1) == []
    assert asked["celery"].listened == (broker.name == "redis")


def test_the_page_names_the_setting(
    broker: server.Broker,
    start_worker: fixtures.StartWorker,
    ask_often: Callable[..., daemon.Daemon],
) -> None:
    """Where it is not set, beats are heard and nobody answers: the status says what it may be."""
    sentinel = ask_often(broker.url)
    start_worker(broker.url, config={"control_exchange": _EXCHANGE})

    def told() -> bool:
        notes = sentinel.get("/api/v1/status").json()["notes"]
        return any("broker.control_exchange" in note for note in notes)

    deadline.wait_until(told, 2 * conftest.SECONDS, "a note names the setting")
