"""A failure counts whatever its message says, and however long it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers import daemon, deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import server

FAILED = "celery_task_failed_total"


@pytest.mark.parametrize("serializer", ["json", "msgpack"])
def test_failures_with_long_messages(
    serializer: str,
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Of megabytes the class is read, nothing else is lost, and the large messages are counted."""
    sentinel = watch(broker.url)
    start_worker(broker.url, config={"event_serializer": serializer})
    sending = make_producer(broker.url)
    # What is longer than is kept whole can be read from its ends in JSON only.
    longest = 9_000_000 if serializer == "json" else 6_000_000
    for kind, size in (("undecodable", 1_100_000), ("value", 3_000_000), ("key", longest)):
        sending.send("failing_long", kind, size)
        sending.send("quick")

    def ended() -> dict[str, float | None]:
        samples = sentinel.scrape()
        names = ("UnicodeDecodeError", "ValueError", "KeyError")
        counted = {name: daemon.total(samples, FAILED, exception=name) for name in names}
        return counted | {"ok": daemon.total(samples, "celery_task_succeeded_total", name="quick")}

    wanted = {"UnicodeDecodeError": 1, "ValueError": 1, "KeyError": 1, "ok": 3}
    deadline.wait_until(lambda: ended() == wanted, 120, f"they are {wanted}")
    samples = sentinel.scrape()
    assert daemon.total(samples, FAILED) == 3
    assert daemon.total(samples, "celery_tasks_in_flight") == 0
    salvaged = daemon.total(samples, "celery_sentinel_messages_salvaged_total", reason="oversized")
    rejected = daemon.total(samples, "celery_sentinel_events_rejected_total", reason="oversized")
    assert (salvaged or 0) + (rejected or 0) >= 3
    assert (rejected or 0) <= 1  # on RabbitMQ the middle of the largest may not have been kept
    assert daemon.total(samples, "celery_worker_up") == 1


@pytest.mark.parametrize("serializer", ["yaml", "pickle"])
def test_events_that_are_not_read_are_named(
    serializer: str,
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
) -> None:
    """The page says what they are written in, and does not blame the worker for silence."""
    sentinel = watch(broker.url)
    config = {"event_serializer": serializer, "accept_content": ["json", serializer]}
    start_worker(broker.url, config=config, environment={"C_FORCE_ROOT": "1"})

    def notes() -> list[str]:
        told: list[str] = sentinel.get("/api/v1/status").json()["notes"]
        return told

    word = {"yaml": "YAML", "pickle": "pickle"}[serializer]
    deadline.wait_until(lambda: any(word in note for note in notes()), 60, f"{word} is named")
    assert not [note for note in notes() if "heartbeat" in note or "-E" in note]
