"""Whoever can publish may publish anything; each refusal is counted and nothing else is lost."""

from __future__ import annotations

import json
import pickle
import uuid
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration import hostile
from tests.servers import daemon, deadline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.servers import promtool, server

GOOD = 23


def poisoned(poison: bytes) -> bytes:
    """Return a batch of 23 good events with ``poison`` in their midst."""
    good = [json.dumps(hostile.event()).encode() for _ in range(GOOD)]
    return b"[" + b",".join([*good[:12], poison, *good[12:]]) + b"]"


@pytest.mark.parametrize(
    ("poison", "reason"),
    [
        (b"17", "malformed"),
        (b"null", "malformed"),
        (b'{"hostname": "w1@fleet"}', "malformed"),
        (b'{"type": "task-received", "uuid": {"a": 1}, "name": "x"}', "malformed"),
        (b'{"type": "task-received", "uuid": "1", "name": tru}', "malformed"),
        (b'{"type":"task-sent","uuid":' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}", "malformed"),
        (b'{"type": "nonsense", "uuid": "1"}', "unknown_type"),
    ],
    ids=["number", "null", "no-type", "dict-uuid", "broken-token", "bottomless", "unknown-type"],
)
def test_one_poisoned_event_costs_none_of_its_neighbours(
    poison: bytes,
    reason: str,
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    publisher: hostile.Publisher,
) -> None:
    """All 23 others of the batch are counted, and the one is counted by its reason."""
    sentinel = watch(broker.url)

    publisher.publish(poisoned(poison))

    wait_received(sentinel, GOOD)
    assert rejected(sentinel) == {reason: 1}


def test_what_strict_json_refuses_but_celery_sends_is_counted(
    broker: server.Broker, watch: Callable[..., daemon.Daemon], publisher: hostile.Publisher
) -> None:
    """NaN, infinities, lone surrogates and typed uuids are legal events and lose nothing."""
    sentinel = watch(broker.url)
    typed = {"__type__": "uuid", "__value__": {"hex": uuid.uuid4().hex}}

    publisher.publish(hostile.batch(hostile.event(), hostile.event(args=float("nan"))))
    publisher.publish(
        hostile.batch(hostile.event(), hostile.event("task-succeeded", runtime=float("inf")))
    )
    publisher.publish(hostile.batch(hostile.event(), hostile.event(args="\udcff")))
    publisher.publish(hostile.batch(hostile.event(), hostile.event(uuid=typed)))
    publisher.publish(
        zlib.compress(hostile.batch(hostile.event())), compression="application/x-gzip"
    )

    wait_received(sentinel, 8)
    samples = sentinel.scrape()
    salvaged = daemon.total(samples, "celery_sentinel_messages_salvaged_total")
    assert salvaged == 5
    assert rejected(sentinel) == {}


def test_messages_that_are_no_events_are_refused_by_reason(
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    publisher: hostile.Publisher,
    tmp_path: Path,
) -> None:
    """Pickles stay closed; large, truncated and foreign bytes are counted, then all goes on."""
    sentinel = watch(broker.url)
    trap = tmp_path / "sprung"

    publisher.publish(pickle.dumps(Trap(str(trap))), content_type="application/x-python-serialize")
    publisher.publish(b"- type: task-sent", content_type="application/x-yaml")
    publisher.publish(b"[]")
    publisher.publish(b"not json at all")
    publisher.publish(hostile.batch(hostile.event())[:-30])
    publisher.publish(b'"' + b"x" * (5 * 1024 * 1024) + b'"')
    publisher.publish_raw(b"\x00\xff garbage \xfe")
    publisher.publish(hostile.batch(hostile.event()))

    wait_received(sentinel, 1)
    want = {"content_type": 2, "empty": 1, "malformed": 4}
    deadline.wait_until(lambda: rejected(sentinel) == want, 60, f"rejected are {want}")
    assert not trap.exists()


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (self._path, "w"))


HOSTILE = [
    'quo"te',
    "back\\slash",
    "new\nline",
    "nul\x00byte",
    "<script>alert(1)</script>",
    "{} %s %d",
    "\u202egnirts",
    "x" * 5000,
    "sur\udcffrogate",
    "",
]


def test_hostile_names_leave_every_output_whole(
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    publisher: hostile.Publisher,
    prom_tool: promtool.PromTool,
) -> None:
    """Names with any character in them break neither format, nor page, nor JSON."""
    sentinel = watch(broker.url)

    for name in HOSTILE:
        publisher.publish(hostile.batch(hostile.event(name=name, hostname=f"{name}@h")))
        publisher.publish(
            hostile.batch(hostile.event("task-failed", name=name, exception=f"{name}(1)"))
        )
        publisher.publish(hostile.batch(hostile.event("task-sent", name=name, queue=name)))
        publisher.publish(
            hostile.batch(hostile.event("worker-heartbeat", hostname=name, sw_ver=name, freq=2.0))
        )

    wait_received(sentinel, len(HOSTILE))
    text = sentinel.get("/metrics", headers={"Accept": "text/plain"})
    assert prom_tool.complaints(text.content) == []
    assert daemon.parse(text.text)
    assert "<script>" not in sentinel.get("/").text
    assert sentinel.get("/api/v1/status").json()["workers"]


def wait_received(sentinel: daemon.Daemon, count: int) -> None:
    """Wait until so many task-received events have been counted, and no more."""
    name, kind = "celery_sentinel_events_total", "task-received"
    deadline.wait_until(
        lambda: daemon.total(sentinel.scrape(), name, type=kind) == count,
        60,
        f"{count} are received",
    )


def rejected(sentinel: daemon.Daemon) -> dict[str, float]:
    """Return the reasons something was rejected for, with how often."""
    return {
        dict(labels)["reason"]: value
        for (name, labels), value in sentinel.scrape().items()
        if name == "celery_sentinel_events_rejected_total" and value
    }
