"""What a scrape costs, and what it does to the receiver meanwhile."""

from __future__ import annotations

import gzip
import itertools
import statistics
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import prometheus_client
from prometheus_client import parser, registry

from benchmarks import fleets, measure, table, traffic
from celery_sentinel.fleet import lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from celery_sentinel.events.event import Event
    from celery_sentinel.fleet import model

GZIP_LEVEL = 1  # the daemon's
SERIES_A_NAME = 62  # counters and the buckets of three histograms
_REPEATS = 5
_BATCH = 30  # events in a portion: what arrives in a few milliseconds


@dataclass(frozen=True)
class Cost:
    """A scrape of ``series`` series; times are CPU seconds, medians of several scrapes."""

    series: int
    size: int  # bytes
    first: float
    render: float
    zipped: float
    peer: float  # prometheus_client.generate_latest on the same samples

    @property
    def advantage(self) -> float:
        """How many times cheaper than the peer."""
        return self.peer / self.render


@dataclass
class Gap:
    """The longest time between two moments, in seconds of CPU and of the clock."""

    cpu: float = 0.0
    clock: float = 0.0
    _cpu_since: float = 0.0
    _clock_since: float = 0.0

    def begin(self) -> None:
        """Mark the first moment."""
        self._cpu_since, self._clock_since = time.process_time(), time.perf_counter()

    def end(self) -> None:
        """Mark the second moment."""
        self.cpu = max(self.cpu, time.process_time() - self._cpu_since)
        self.clock = max(self.clock, time.perf_counter() - self._clock_since)


@dataclass(frozen=True)
class Delay:
    """How long the receiver stood still; the longest of each, in seconds.

    In CPU time of the process, which is what passes on a machine that does nothing else; by the
    clock other programs count as well.
    """

    undisturbed: Gap
    scraped: Gap
    lock_held: Gap
    scrapes: int


def shape_for(series: int) -> traffic.Shape:
    """Return traffic that leads to about so many series."""
    names = max(2, series // SERIES_A_NAME)
    queues = max(1, min(200, names // 8))
    return traffic.Shape(events=names * 60, names=names, queues=queues, skew=0.0, failing=0.1)


def cost(series: int) -> Cost:
    """Measure scrapes of about so many series."""
    exposition = fleets.exposition_of(fleets.filled(shape_for(series)))
    first, _ = measure.cost(lambda: exposition.render(openmetrics=False))
    text = exposition.render(openmetrics=False)
    known = registry.CollectorRegistry()
    known.register(_Parsed(text.decode()))
    return Cost(
        series=exposition.series,
        size=len(text),
        first=first,
        render=_median(lambda: exposition.render(openmetrics=False)),
        zipped=_median(lambda: gzip.compress(text, GZIP_LEVEL, mtime=0)),
        peer=_median(lambda: prometheus_client.generate_latest(known)),
    )


def _median(call: Callable[[], object]) -> float:
    return statistics.median(measure.cost(call)[0] for _ in range(_REPEATS))


class _Parsed(registry.Collector):
    """The same samples for prometheus_client, made ready before the clock starts."""

    def __init__(self, text: str) -> None:
        self._families = list(parser.text_string_to_metric_families(text))

    def collect(self) -> Iterable[prometheus_client.Metric]:
        return self._families


class _TimedLock(lock.TurnstileLock):
    """Remembers the longest time the thread ``watched`` has held it."""

    def __init__(self) -> None:
        super().__init__()
        self.held = Gap()
        self.watched: int | None = None

    def __enter__(self) -> None:
        super().__enter__()
        self.held.begin()

    def __exit__(self, *exception: object) -> None:
        if threading.get_ident() == self.watched:
            self.held.end()
        super().__exit__(*exception)


class _Ingest(threading.Thread):
    """Applies portions of events without a pause; ``gap`` is the longest time between two."""

    def __init__(self, fleet: model.Fleet, portions: Sequence[list[Event]]) -> None:
        super().__init__(daemon=True)
        self._fleet = fleet
        self._portions = portions
        self._stopping = threading.Event()
        self.gap = Gap()

    def run(self) -> None:
        """Apply until stopped."""
        self.gap.begin()
        for portion in itertools.cycle(self._portions):
            if self._stopping.is_set():
                return
            self._fleet.apply(portion, time.monotonic(), time.time())
            self.gap.end()
            self.gap.begin()
            time.sleep(0)  # reading a socket lets go of the interpreter, too

    def stop(self) -> Gap:
        """End, and return the longest gap."""
        self._stopping.set()
        self.join()
        return self.gap


def delay(series: int, *, scrapes: int = 10) -> Delay:
    """Measure a busy receiver without scrapes, and as long with one scrape after another."""
    shape = shape_for(series)
    fleet = fleets.filled(shape)
    timed = fleet.lock = _TimedLock()
    exposition = fleets.exposition_of(fleet)
    exposition.render(openmetrics=False)
    found = list(fleets.decoded(traffic.Traffic(traffic.Shape(events=6000)).messages()))
    portions = [found[at : at + _BATCH] for at in range(0, len(found), _BATCH)]
    begun = time.monotonic()
    ingest = _Ingest(fleet, portions)
    timed.watched = threading.get_ident()
    ingest.start()
    for _ in range(scrapes):
        exposition.render(openmetrics=False)
    scraped = ingest.stop()
    took = time.monotonic() - begun
    ingest = _Ingest(fleet, portions)
    ingest.start()
    time.sleep(took)
    return Delay(ingest.stop(), scraped, timed.held, scrapes)


def section(costs: Sequence[Cost], delay: Delay) -> str:
    """Return the chapter of the results."""
    rows = [
        [
            f"{one.series:,}",
            f"{one.first * 1000:.1f}",
            f"{one.render * 1000:.1f}",
            f"{one.peer * 1000:.1f}",
            f"{one.advantage:.1f}",
            f"{one.zipped * 1000:.1f}",
            f"{one.size / one.series:.0f}",
        ]
        for one in costs
    ]
    headers = (
        *("series", "first, CPU ms", "later, CPU ms", "generate_latest, CPU ms", "x ours"),
        *("gzip adds, CPU ms", "bytes a series"),
    )
    gaps = [
        [name, f"{gap.cpu * 1000:.1f}", f"{gap.clock * 1000:.1f}"]
        for name, gap in (
            ("between two portions of events, no scrape", delay.undisturbed),
            ("between two portions of events, scrape after scrape", delay.scraped),
            ("a scrape holding the model's lock", delay.lock_held),
        )
    ]
    longest = ("longest", "CPU ms", "ms by the clock")
    return (
        f"## Scrapes\n\n{table.markdown(headers, rows)}\n\n"
        "![CPU of a scrape](../docs/images/bench-scrape.png)\n\n"
        f"Events that never pause, and {delay.scrapes} scrapes of {costs[-1].series:,} series:\n\n"
        f"{table.markdown(longest, gaps)}"
    )
