"""Numbers that cannot be, published by a stranger, spoil nothing that a daemon shows or keeps."""

from __future__ import annotations

import json
import math
import time
from typing import TYPE_CHECKING

import msgspec

from tests.integration import hostile
from tests.servers import daemon, deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests import conftest
    from tests.servers import server

NUMBERS = ["1e300", "-1e300", "NaN", "Infinity", "-Infinity", "1" + "0" * 400, "1e10"]
FIELDS = ["timestamp", "runtime", "eta", "clock", "retries", "processed", "active", "freq"]
KINDS = ["task-sent", "task-received", "task-started", "task-succeeded", "task-failed"]
KINDS += ["worker-heartbeat", "worker-online"]
MSGPACK = "application/x-msgpack"
DAY = 86_400.0


def forged() -> Iterator[tuple[bytes, str]]:
    """Yield messages with one event each, and their content types."""
    for number in NUMBERS:
        for field in FIELDS:
            for kind in KINDS:
                given = {"queue": "celery", "processed": 0, "uuid": f"{number[:9]}{field}"}
                found = {**hostile.event(kind, **given), field: "here"}
                yield json.dumps(found).replace('"here"', number).encode(), hostile.JSON
                value = math.nan if len(number) > 99 else float(number)
                yield msgspec.msgpack.encode({**found, field: value}), MSGPACK


def check(samples: daemon.Samples) -> None:
    """Assert that each number can be."""
    latest = time.time() + 2 * DAY
    for (name, labels), value in samples.items():
        assert math.isfinite(value), (name, labels)
        if name.endswith("_seconds_sum"):
            assert 0 <= value < 100, (name, labels)
        elif name.endswith("_timestamp_seconds"):
            assert 0 < value < latest, (name, labels)


def test_forged_numbers_are_nowhere(
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
    publisher: hostile.Publisher,
) -> None:
    """Scrapes, the page, the status and, after a restart, the state file have none of them."""
    sentinel = watch(broker.url, args=["--state.file", "state"])
    start_worker(broker.url)
    sending = make_producer(broker.url)

    messages = list(forged())
    for body, content_type in messages:
        publisher.publish(body, content_type=content_type)
    sending.send("quick")

    def honest() -> bool:
        gauge = "celery_task_last_event_timestamp_seconds"
        samples = sentinel.scrape()
        found = daemon.total(samples, gauge, name="quick", event="succeeded") or 0
        return abs(found - time.time()) < DAY

    deadline.wait_until(honest, 90, "the honest task counts")
    check(sentinel.scrape())
    refused = daemon.total(sentinel.scrape(), "celery_sentinel_messages_salvaged_total") or 0
    rejected = daemon.total(sentinel.scrape(), "celery_sentinel_events_rejected_total") or 0
    assert refused + rejected > len(messages) / 3
    assert daemon.total(sentinel.scrape(), "celery_sentinel_caught_failures_total") in {None, 0}
    json.loads(sentinel.get("/api/v1/status").text, parse_constant=_refuse)
    assert sentinel.get("/").status_code == 200

    assert sentinel.stop() == 0
    sentinel.start()
    deadline.wait_until(honest, 90, "it is taken over")
    check(sentinel.scrape())
    assert "Traceback" not in sentinel.stderr_text


def _refuse(constant: str) -> None:
    raise AssertionError(constant)
