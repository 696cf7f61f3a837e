"""The daemon's model and its exposition in this process, filled with generated traffic."""

from __future__ import annotations

import gc
import json
import time
from typing import TYPE_CHECKING

from benchmarks import traffic
from celery_sentinel.config import schema
from celery_sentinel.events import decoding
from celery_sentinel.fleet import model
from celery_sentinel.metrics import exposition
from celery_sentinel.metrics.collectors import queues, sentinel, tasks, workers
from celery_sentinel.telemetry import subscription

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from celery_sentinel.events.event import Event
    from celery_sentinel.metrics import samples

PORTION = 500  # events applied at once
UNLIMITED = schema.Limits(names=10**6, queues=10**6, workers=10**6, series=10**6)


def empty() -> model.Fleet:
    """Return a fleet whose labels have no limit worth mentioning."""
    return model.Fleet(schema.Config(metrics=schema.Metrics(limits=UNLIMITED)))


def decoded(publications: Iterable[traffic.Publication]) -> Iterator[Event]:
    """Yield events as the daemon's decoder returns them."""
    decoder = decoding.Decoder()
    for publication in publications:
        found: list[Event] = []
        decoder.body(json.dumps(publication.body).encode(), found)
        yield from found


def apply(fleet: model.Fleet, found: Iterable[Event]) -> None:
    """Apply events in portions, as a receiver that has much to read does."""
    portion: list[Event] = []
    for event in found:
        portion.append(event)
        if len(portion) == PORTION:
            fleet.apply(portion, time.monotonic(), time.time())
            portion = []
    fleet.apply(portion, time.monotonic(), time.time())


def filled(shape: traffic.Shape) -> model.Fleet:
    """Return a fleet that has heard traffic of that shape."""
    fleet, source = empty(), traffic.Traffic(shape)
    apply(fleet, decoded(source.hello()))
    apply(fleet, decoded(source.messages()))
    gc.collect()
    gc.freeze()  # as the daemon does
    return fleet


def exposition_of(fleet: model.Fleet) -> exposition.Exposition:
    """Return the exposition of a fleet, without the metrics of the process."""
    connection = subscription.Subscription(transport="redis", url="redis://127.0.0.1/0")

    def families() -> Iterator[samples.Family]:
        yield from tasks.collect(fleet)
        yield from workers.collect(fleet)
        yield from queues.collect(fleet, connection)
        yield from sentinel.collect(fleet, connection)

    return exposition.Exposition(families, extra=lambda _: "", hold=0.0)
