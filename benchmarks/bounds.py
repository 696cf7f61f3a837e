"""What the model takes when every table is full, and what an event costs beyond all limits."""

from __future__ import annotations

import itertools
import multiprocessing
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import fleets, table
from celery_sentinel.config import schema
from celery_sentinel.events.event import Event
from celery_sentinel.fleet import model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LONGEST = 300  # characters; a label keeps 250
_LONGEST_ID = {"": 36, "x": 255, "\U0001f600": 64}  # characters, by what fills it
_TOO_MANY = 1.2  # of each limit
_PORTION = 20_000  # events made at once, so that making them does not count
_MIB = 2**20

Padding = tuple[str, str]  # what it is called, what fills a label

PADDINGS: tuple[Padding, ...] = (
    ("ordinary names", ""),
    ("longer than a label keeps", "x"),
    ("the same, of four bytes each", "\U0001f600"),
)


@dataclass(frozen=True)
class Costs:
    """Of one kind of label: CPU seconds an event, bytes; ``peak`` while it was made as well."""

    labels: str
    event: float
    resident: int
    exposition: int
    peak: int


def run(records: int) -> list[Costs]:
    """Measure each kind of label with so many task records, in processes of their own."""
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        return [pool.apply(_measured, (padding, records)) for padding in PADDINGS]


def section(found: list[Costs]) -> str:
    """Return the chapter of the results."""
    headers = ("labels", "an event, CPU µs", "model, MiB", "OpenMetrics, MB", "peak, MiB")
    rows = [
        [
            one.labels,
            f"{one.event * 1e6:.1f}",
            f"{one.resident / _MIB:.0f}",
            f"{one.exposition / 1e6:.0f}",
            f"{one.peak / _MIB:.0f}",
        ]
        for one in found
    ]
    return f"## Every table full\n\n{table.markdown(headers, rows)}"


def _measured(padding: Padding, records: int) -> Costs:
    called, filling = padding
    config = schema.Config(tasks=schema.Tasks(max_records=records))
    fleet = model.Fleet(config)

    def label(text: str) -> str:
        return text + filling * (_LONGEST - len(text)) if filling else text

    def identity(text: str) -> str:
        return text + filling * (_LONGEST_ID[filling] - len(text))

    flood = itertools.chain(_labels(config, label), _tasks(config, label, identity))
    spent, count = _applied(fleet, flood)
    assert len(fleet.records.by_id) > 0.4 * records  # noqa: S101 -- or the figures mean nothing
    full = _memory("VmRSS")
    size = len(fleets.exposition_of(fleet).render(openmetrics=True))
    return Costs(called, spent / count, full, size, _memory("VmHWM"))


def _applied(fleet: model.Fleet, flood: Iterator[Event]) -> tuple[float, int]:
    spent, count = 0.0, 0
    while portion := list(itertools.islice(flood, _PORTION)):
        begun = time.thread_time()
        fleets.apply(fleet, portion)
        spent += time.thread_time() - begun
        count += len(portion)
    return spent, count


def _labels(config: schema.Config, label: Callable[[str], str]) -> Iterator[Event]:
    """Yield workers, and series with all their histograms and exceptions."""
    limits, now = config.metrics.limits, time.time()
    for number in range(int(limits.workers * _TOO_MANY)):
        hostname = label(f"celery@worker-{number}")
        yield Event(
            type="worker-heartbeat", hostname=hostname, pid=7, freq=2.0, active=1, processed=number,
            loadavg=[0.1, 0.2, 0.3], sw_ver="5.7.0", sw_sys="Linux", timestamp=now,
        )  # fmt: skip
    for number in range(int(limits.series * _TOO_MANY)):
        name = label(f"shop.tasks.job_{number % int(limits.names * _TOO_MANY)}")
        queue = label(f"queue-{(number + number // limits.names) % limits.queues}")
        hostname = label(f"celery@worker-{number % limits.workers}")
        yield from _life(number, now, name=name, queue=queue, hostname=hostname)


def _tasks(
    config: schema.Config, label: Callable[[str], str], identity: Callable[[str], str]
) -> Iterator[Event]:
    """Yield tasks that run and never end, each with a name that was never there before."""
    limits, now = config.metrics.limits, time.time()
    for number in range(int(config.tasks.max_records * _TOO_MANY)):
        uuid = identity(f"{number:08x}-0000-4000-a000-{number:012x}")
        name = label(f"shop.tasks.new_{number}")
        hostname = label(f"celery@worker-{number % limits.workers}")
        yield Event(type="task-received", uuid=uuid, name=name, hostname=hostname, timestamp=now)
        yield Event(type="task-started", uuid=uuid, hostname=hostname, timestamp=now + 1)


def _life(number: int, now: float, *, name: str, queue: str, hostname: str) -> Iterator[Event]:
    """Yield a run that succeeds, and one that fails with an exception of its own."""
    for end in ("succeeded", "failed"):
        task = f"{end}-{number}"
        yield Event(
            type="task-sent", uuid=task, name=name, queue=queue, hostname="gen@web", timestamp=now
        )
        yield Event(
            type="task-received", uuid=task, name=name, hostname=hostname, timestamp=now + 1
        )
        yield Event(type="task-started", uuid=task, hostname=hostname, timestamp=now + 2)
        yield Event(
            type=f"task-{end}", uuid=task, hostname=hostname, timestamp=now + 3, runtime=1.0,
            exception=f"Broken{number}('x')",
        )  # fmt: skip


def _memory(field: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(field)
