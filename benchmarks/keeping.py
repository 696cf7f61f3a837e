"""What a state file costs: to write it while events may come, at the end, and to read it."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
import tracemalloc
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import fleets, measure, table
from celery_sentinel.config import schema
from celery_sentinel.events.event import Event
from celery_sentinel.fleet import model
from celery_sentinel.state import (
    file as state_file,
    manager,
    restore,
    schema as state_schema,
    snapshot,
)
from celery_sentinel.telemetry import subscription

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAMES, _QUEUES, _WORKERS = 200, 5, 100
_LONGEST_REST = 0.05  # seconds, as the keeper's
_ORIGIN = snapshot.Origin("redis://localhost:6379/0 celeryev", "benchmark", 0.0)


@dataclass(frozen=True)
class Costs:
    """Bytes, and seconds of the processor or (``hold``, ``lasted``) of the clock."""

    tasks: int
    size: int
    running: float
    lasted: float
    hold: float
    final: float
    memory: int
    restoring: float


def run(tasks: int) -> Costs:
    """Measure with so many open tasks, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (tasks,))


def section(found: Costs) -> str:
    """Return the chapter of the results."""
    rows = [
        ["size of the file, bytes a task", f"{found.size / found.tasks:.0f}"],
        ["snapshot while running, CPU s", f"{found.running:.2f}"],
        ["the same by the clock, s", f"{found.lasted:.2f}"],
        ["longest hold of the model's lock, ms by the clock", f"{found.hold * 1000:.1f}"],
        ["snapshot at the end, CPU s", f"{found.final:.2f}"],
        ["memory of a snapshot, MB", f"{found.memory / 1e6:.1f}"],
        ["restoring, CPU s", f"{found.restoring:.2f}"],
    ]
    shown = table.markdown((f"{found.tasks:,} open tasks", "found"), rows)
    return f"## State file\n\n{shown}"


def _measured(tasks: int) -> Costs:
    config = schema.Config(tasks=schema.Tasks(max_records=tasks + 1))
    fleet = model.Fleet(config)
    fleets.apply(fleet, _opened(tasks))
    assert len(fleet.records.by_id) == tasks  # noqa: S101 -- or the figures mean nothing
    with tempfile.TemporaryDirectory() as directory:
        kept = state_file.Store(
            str(Path(directory) / "state"),
            magic=manager.MAGIC,
            version=state_schema.VERSION,
            largest=state_file.largest(tasks),
        )
        held: list[float] = []
        size = _save(fleet, kept, held, resting=True)
        running, lasted = measure.cost(lambda: _save(fleet, kept, held, resting=True))
        final, _ = measure.cost(lambda: _save(fleet, kept, held, resting=False))
        restoring, _ = measure.cost(lambda: _restore(config, kept))
        return Costs(
            tasks, size, running, lasted, max(held), final, _memory(fleet, kept), restoring
        )


def _save(fleet: model.Fleet, kept: state_file.Store, held: list[float], *, resting: bool) -> int:
    """Write a snapshot, between two slices with as much rest as the slice took."""
    rested_at = time.perf_counter()

    def rest() -> None:
        nonlocal rested_at
        if resting:
            time.sleep(min(time.perf_counter() - rested_at, _LONGEST_REST))
        rested_at = time.perf_counter()

    connection = subscription.Subscription(transport="redis", url="redis://localhost")
    taken = snapshot.Snapshot(fleet, connection, rest=rest)
    frames = taken.frames(_ORIGIN, now=time.monotonic(), wall=time.time(), final=not resting)
    size = kept.write(frames)
    held.append(taken.longest_hold)
    return size


def _memory(fleet: model.Fleet, kept: state_file.Store) -> int:
    tracemalloc.start()
    _save(fleet, kept, [], resting=False)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def _restore(config: schema.Config, kept: state_file.Store) -> None:
    fleet = model.Fleet(config)
    restoration = restore.Restoration(fleet, now=time.monotonic(), wall=time.time())
    restoration.read(kept.read() or iter(()), broker=_ORIGIN.broker)


def _opened(count: int) -> Iterator[Event]:
    """Yield what opens tasks: sent, received, and half of them started."""
    now = time.time()
    for number in range(count):
        uuid = f"{number:08x}-0000-4000-a000-{number:012x}"
        name, queue = f"shop.tasks.job_{number % _NAMES}", f"queue{number % _QUEUES}"
        worker = f"worker{number % _WORKERS}@host"
        yield Event(type="task-sent", uuid=uuid, name=name, queue=queue, timestamp=now)
        yield Event(type="task-received", uuid=uuid, name=name, hostname=worker, timestamp=now)
        if number % 2:
            yield Event(type="task-started", uuid=uuid, hostname=worker, timestamp=now)
