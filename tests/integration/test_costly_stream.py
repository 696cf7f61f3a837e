"""Whoever can publish may send what is slow to read; live workers beside it are not called dead."""

from __future__ import annotations

import itertools
import zlib
from typing import TYPE_CHECKING

from tests.servers import daemon, deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import conftest
    from tests.integration import hostile
    from tests.servers import server

MIB = 1024 * 1024
MESSAGES = 600  # 50 a second for longer than a silence that is a worker's end
SHAPES = [
    b"[" + b"{}" * (MIB // 2 - 1),
    b"[" * MIB,
    b"[}" + (b"," + b" " * 500) * 2_000,
    b'{"type":"a","x":[' + b",".join([b"9" * 4_000] * 250) + b'],"y":NaN}',
]


def test_costly_messages_cost_a_live_worker_nothing(
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
    publisher: hostile.Publisher,
) -> None:
    """600 KB that would be two minutes of CPU: all is accounted for, and the worker beats on."""
    sentinel = watch(broker.url)
    start_worker(broker.url)
    wait_beats(sentinel, 1)

    packed = [zlib.compress(shape) for shape in SHAPES]
    for body in itertools.islice(itertools.cycle(packed), MESSAGES):
        publisher.publish(body, compression="application/x-gzip")
    make_producer(broker.url).send("quick")

    wait_beats(sentinel, 8)
    deadline.wait_until(lambda: accounted(sentinel) == MESSAGES, 120, "all are accounted for")
    samples = sentinel.scrape()
    assert daemon.total(samples, "celery_sentinel_events_rejected_total", reason="too_costly")
    assert daemon.total(samples, "celery_task_succeeded_total") == 1


def test_small_messages_that_unpack_to_many_sound_events_cost_a_live_worker_nothing(
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
    publisher: hostile.Publisher,
) -> None:
    """10,000 failures in 3 KB take half a second to apply: that is paid from the same budget."""
    sentinel = watch(broker.url)
    start_worker(broker.url)
    wait_beats(sentinel, 1)

    failed = b'{"type":"task-failed","uuid":"1","hostname":"h","exception":"E()"}'
    packed = zlib.compress(b"[" + b",".join([failed] * 10_000) + b"]", 9)
    for _ in range(MESSAGES):
        publisher.publish(packed, compression="application/x-gzip")
    make_producer(broker.url).send("quick")

    wait_beats(sentinel, 8)
    deadline.wait_until(lambda: accounted(sentinel) == MESSAGES, 120, "all are accounted for")
    samples = sentinel.scrape()
    assert daemon.total(samples, "celery_sentinel_events_rejected_total", reason="too_costly")
    assert daemon.total(samples, "celery_task_succeeded_total", name="quick") == 1


def accounted(sentinel: daemon.Daemon) -> float:
    """Return how many messages were refused or salvaged."""
    samples = sentinel.scrape()
    name = "celery_sentinel_events_rejected_total"
    refused = [daemon.total(samples, name, reason=reason) for reason in ("too_costly", "malformed")]
    salvaged = daemon.total(samples, "celery_sentinel_messages_salvaged_total")
    return sum(count or 0 for count in [*refused, salvaged])


def wait_beats(sentinel: daemon.Daemon, more: int) -> None:
    """Wait for so many heartbeats from now on; the worker is up in every scrape meanwhile."""
    name, kind = "celery_sentinel_events_total", "worker-heartbeat"
    begun = daemon.total(sentinel.scrape(), name, type=kind) or 0

    def beaten() -> bool:
        samples = sentinel.scrape()
        assert daemon.total(samples, "celery_worker_up") in {None, 1}
        assert not daemon.total(samples, "celery_worker_lost_total")
        return (daemon.total(samples, name, type=kind) or 0) >= begun + more

    deadline.wait_until(beaten, 120, f"{more} heartbeats are counted")
