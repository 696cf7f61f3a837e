"""How memory and cost grow with tasks, workers and queues."""

from __future__ import annotations

import itertools
import math
import multiprocessing
import os
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import arena, fleets, measure, traffic
from celery_sentinel import poll_results
from celery_sentinel.brokers import registry
from celery_sentinel.config import schema
from celery_sentinel.events.event import Event
from celery_sentinel.fleet import model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Curve = list[tuple[int, float]]  # size, CPU seconds (or bytes)

_PAGE = os.sysconf("SC_PAGE_SIZE")
_REPEATS = 7
_EVENTS_A_WORKER = 20
_PORTION = 256  # queues taken over under one lock, as the poller does


def exponent(curve: Curve) -> float:
    """Return the slope of a curve in double logarithm: 1 is linear, less is better."""
    points = [(math.log(size), math.log(cost)) for size, cost in curve]
    slope, _ = statistics.linear_regression(*zip(*points, strict=True))
    return slope


# --- memory of open tasks -------------------------------------------------------------------


def bytes_per_task(tasks: int, *, running: bool) -> float:
    """Return how much a process grows by each open task, measured in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_grow, (tasks, running))


def _grow(tasks: int, running: bool) -> float:
    fleet = model.Fleet(schema.Config(tasks=schema.Tasks(max_records=tasks + 10_000)))
    fleets.apply(fleet, _opened(2000, running=running, first=10**9))
    before = _resident()
    fleets.apply(fleet, _opened(tasks, running=running, first=0))
    grown = _resident() - before
    assert len(fleet.records.by_id) == tasks + 2000  # noqa: S101 -- or the figure means nothing
    return grown / tasks


def _opened(count: int, *, running: bool, first: int) -> Iterator[Event]:
    now = time.time()
    for number in range(first, first + count):
        uuid = f"{number:08x}-0000-4000-a000-{number:012x}"
        name, worker = f"shop.tasks.job_{number % 60}", f"worker{number % 8}@host"
        at = now + number % 1000
        yield Event(type="task-sent", uuid=uuid, name=name, queue="q", timestamp=at)
        yield Event(type="task-received", uuid=uuid, name=name, hostname=worker, timestamp=at + 0.5)
        if running:
            yield Event(type="task-started", uuid=uuid, hostname=worker, timestamp=at + 0.75)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE


# --- workers --------------------------------------------------------------------------------


def by_workers(sizes: Sequence[int]) -> dict[str, Curve]:
    """Return, by what is done, CPU seconds against the number of workers."""
    curves: dict[str, Curve] = {"events": [], "look at silences": [], "scrape": []}
    for size in sizes:
        for name, seconds in _of_workers(size):
            curves[name].append((size, seconds))
    return curves


def _of_workers(size: int) -> Iterator[tuple[str, float]]:
    shape = traffic.Shape(events=size * _EVENTS_A_WORKER, workers=size, rate=10.0 * size)
    fleet = fleets.filled(shape)
    found = list(fleets.decoded(traffic.Traffic(shape).messages()))
    yield "events", _best(lambda: fleets.apply(fleet, found))
    soon = time.monotonic() + 1
    yield "look at silences", _best(lambda: fleet.tick(soon, time.time(), listening=True))
    yield "scrape", _scraped(fleet)


def _scraped(fleet: model.Fleet) -> float:
    exposition = fleets.exposition_of(fleet)
    exposition.render(openmetrics=False)
    return _best(lambda: exposition.render(openmetrics=False))


# --- queues ---------------------------------------------------------------------------------


def by_queues(sizes: Sequence[int]) -> dict[str, Curve]:
    """Return, by what is done, CPU seconds against the number of queues, on a real Redis."""
    curves: dict[str, Curve] = {"poll": [], "take over": [], "scrape": []}
    with arena.broker("redis") as server:
        for size in sizes:
            for name, seconds in _of_queues(size, server.url):
                curves[name].append((size, seconds))
    return curves


def _of_queues(size: int, url: str) -> Iterator[tuple[str, float]]:
    names = [f"queue-{number}" for number in range(size)]
    config = schema.Config(
        broker=schema.Broker(url=url),
        metrics=schema.Metrics(limits=fleets.UNLIMITED),
        queues=schema.Queues(watch=tuple(names)),
    )
    fleet, reader = model.Fleet(config), registry.queue_reader_of(config)
    reading = reader.read(names)
    yield "poll", _best(lambda: reader.read(names))
    yield "take over", _best(lambda: _take_over(fleet, reading))
    yield "scrape", _scraped(fleet)
    reader.close()


def _take_over(fleet: model.Fleet, reading: poll_results.BrokerReading) -> None:
    remaining = iter(reading.queues.items())
    while portion := dict(itertools.islice(remaining, _PORTION)):
        part = poll_results.BrokerReading(queues=portion, round_trip=reading.round_trip)
        fleet.apply_reading(part, time.monotonic(), time.time())


def _best(call: Callable[[], object]) -> float:
    """Return the least CPU seconds of several calls: what else the machine does only adds."""
    return min(measure.cost(call)[0] for _ in range(_REPEATS))
