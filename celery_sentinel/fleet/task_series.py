"""The numbers kept for one task name in one queue, and the table that finds them."""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from celery_sentinel.fleet import labels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

# How far a task has come. AWAITED: nothing of it is in flight that we know of, more is to come.
AWAITED, SENT, RECEIVED, STARTED, CLOSED = range(5)

# A series whose labels are longer than this, in bytes of UTF-8, takes the room of several.
LABEL_BYTES = 64

# A duration beyond this, in seconds, is no measurement.
LONGEST = 1e9


class Histogram:
    """Bucket counts of durations in seconds; the last bucket is +Inf."""

    __slots__ = ("bounds", "counts", "least", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.least = bounds[0]
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0


class TaskSeries:
    """Counters, histograms and gauges of one (name, queue[, hostname]).

    Plain integers, since the event path adds to them; one writer. A histogram is None where
    the configuration has turned it off. ``in_flight`` counts records by state; its last place,
    CLOSED, is not kept. A ``vague`` one is left once a task-received says more of its task.
    ``heard`` (monotonic) is about when ``told``, the number of its events, grew last.
    """

    __slots__ = (
        "cancelled",
        "exceptions",
        "failed",
        "heard",
        "in_flight",
        "labels",
        "last_failed",
        "last_sent",
        "last_succeeded",
        "leaving",
        "lost",
        "name",
        "prefetch_wait",
        "queue_name",
        "queue_wait",
        "received",
        "received_at",
        "redelivered",
        "rejected",
        "retried",
        "revoked",
        "runtime_failed",
        "runtime_succeeded",
        "sent",
        "started",
        "succeeded",
        "told",
        "vague",
    )

    def __init__(
        self,
        values: tuple[str, ...],
        *,
        runtime: tuple[float, ...],
        queue_wait: tuple[float, ...],
        prefetch_wait: Histogram | None,
        vague: bool,
    ) -> None:
        self.labels = values
        self.name, self.queue_name = values[0], values[1]
        self.vague = vague
        self.sent = self.received = self.started = self.succeeded = 0
        self.redelivered = self.cancelled = 0
        self.received_at = 0.0  # monotonic
        self.heard, self.told = 0.0, -1
        self.leaving = False  # its open tasks are given up: its place is needed
        self.exceptions: labels.LabelSet | None = None  # from the first failure on
        self.failed: Counter[tuple[str, str]] = Counter()
        self.retried: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.revoked: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.in_flight = [0] * (CLOSED + 1)
        self.last_sent = self.last_succeeded = self.last_failed = 0.0
        self.runtime_succeeded = Histogram(runtime) if runtime else None
        self.runtime_failed = Histogram(runtime) if runtime else None
        self.queue_wait = Histogram(queue_wait) if queue_wait else None
        self.prefetch_wait = prefetch_wait


class BucketRule:
    """The histogram bounds, in seconds, of the tasks whose name a glob matches."""

    __slots__ = ("match", "queue_wait", "runtime")

    def __init__(self, match: str, runtime: Sequence[float], queue_wait: Sequence[float]) -> None:
        self.match = match
        self.runtime = tuple(runtime)
        self.queue_wait = tuple(queue_wait)


class SeriesTable:
    """Finds or makes the series of a task; names, queues and exceptions are bounded.

    ``series`` bounds the series, and again all exceptions of all of them. A series takes one
    place more for each 64 bytes its labels have over the first 64, an exception likewise, so
    that this is a bound on the bytes of an exposition too. ``rules`` end in one that matches
    every name. ``on_full``, told what has no more room, and ``on_full_of_exceptions``, told of
    which series, free a place, or return False; ``on_made`` is told the labels of a new series.
    """

    def __init__(
        self,
        *,
        names: int,
        queues: int,
        hostnames: int,
        exceptions: int,
        series: int,
        rules: Sequence[BucketRule],
        prefetch_bounds: Sequence[float],
        by_hostname: bool = False,
    ) -> None:
        self.by_hostname = by_hostname
        self.on_full: Callable[[str], bool] = lambda _: False
        self.on_full_of_exceptions: Callable[[TaskSeries], bool] = lambda _: False
        self.on_made: Callable[[Iterable[str]], None] = lambda _: None
        self.names = labels.LabelSet(names, lambda: self.on_full("name"))
        self.queues = labels.LabelSet(queues, lambda: self.on_full("queue_name"))
        self.hostnames = labels.LabelSet(hostnames, lambda: self.on_full("hostname"))
        self._sets = {"name": self.names, "queue_name": self.queues, "hostname": self.hostnames}
        self.exception_overflow = 0
        self.prefetch_waits: dict[str, Histogram] = {}
        self.series_overflow = 0
        self._limit = series
        self._exceptions = exceptions
        self._taken = 0  # places, of series
        self._taken_by_exceptions = 0
        self._rules = rules
        self._prefetch_bounds = tuple(prefetch_bounds)
        self._series: dict[tuple[str, ...], TaskSeries] = {}

    def __iter__(self) -> Iterator[TaskSeries]:
        return iter(self._series.values())

    def __len__(self) -> int:
        return len(self._series)

    def find(self, name: str, queue: str, hostname: str) -> TaskSeries:
        """Return the series of a task, made at its first mention."""
        key = (name, queue, hostname) if self.by_hostname else (name, queue)
        return self._series.get(key) or self._make(key)

    def exception(self, series: TaskSeries, name: str) -> str:
        """Return the label for an exception's class, bounded for each series and over all."""
        admitted = series.exceptions
        if admitted is None:
            admitted = series.exceptions = labels.LabelSet(self._exceptions)
        if name not in admitted and (admitted.full or self.exceptions_full):
            self.on_full_of_exceptions(series)
        if name in admitted or not self.exceptions_full:
            before = len(admitted)
            label = admitted.admit(name)
            if len(admitted) > before:
                self._taken_by_exceptions += _places((*series.labels, label))
        else:
            label = labels.OTHER
        if label == labels.OTHER:
            self.exception_overflow += 1
        return label

    def sent_to(self) -> Counter[str]:
        """Return how many tasks were sent to each queue."""
        found: Counter[str] = Counter()
        for one in self:
            if one.sent and one.queue_name not in {labels.UNKNOWN, labels.OTHER}:
                found[one.queue_name] += one.sent
        return found

    def load(self, values: tuple[str, ...]) -> TaskSeries | None:
        """Return the series that had these labels before a restart.

        None where today's configuration has other labels, or limits that leave no place for it.
        """
        if len(values) != (3 if self.by_hostname else 2):
            return None
        series = self._make(values)
        return series if series.labels == values else None

    def _make(self, key: tuple[str, ...]) -> TaskSeries:
        values: tuple[str, ...] = (self.names.admit(key[0]), self.queues.admit(key[1]))
        if self.by_hostname:
            values = (*values, self.hostnames.admit(key[2]))
        full = self._taken >= self._limit and values not in self._series
        if full and not self._has_made_room(values):
            self.series_overflow += 1
            values = (labels.OTHER,) * len(values)
        series = self._series.get(values)
        if series is None:
            self._taken += _places(values)
            rule = next(rule for rule in self._rules if fnmatchcase(values[0], rule.match))
            series = self._series[values] = TaskSeries(
                values,
                runtime=rule.runtime,
                queue_wait=rule.queue_wait,
                prefetch_wait=self.prefetch_wait(values[1]),
                vague=self.by_hostname or labels.UNKNOWN in values,
            )
            self.on_made(values)
        return series

    # --- places that are given up ---------------------------------------------------------

    def _has_made_room(self, values: tuple[str, ...]) -> bool:
        if self.on_full("series"):
            needed = _places(values)
            while self._taken + needed > self._limit and self.on_full("series"):
                pass
        return self._taken < self._limit

    def __contains__(self, one: TaskSeries) -> bool:
        return self._series.get(one.labels) is one

    @property
    def exceptions_full(self) -> bool:
        """Whether the exceptions of all series together have no more room."""
        return self._taken_by_exceptions >= self._limit

    def is_full(self, kind: str) -> bool:
        """Tell whether there is no more room: for a label, or for ``series``."""
        return self._taken >= self._limit if kind == "series" else self._sets[kind].full

    def limit_of(self, kind: str) -> int:
        """Return how many places there are."""
        return self._limit if kind == "series" else self._sets[kind].limit

    def labels_of(self, kind: str) -> Iterator[str]:
        """Return the values of a label that have a place."""
        return iter(self._sets[kind])

    def drop(self, one: TaskSeries) -> None:
        """Take out a series; a record that still points to it leaves it with a task-received."""
        del self._series[one.labels]
        self._taken -= _places(one.labels)
        for exception in one.exceptions or ():
            self._taken_by_exceptions -= _places((*one.labels, exception))
        one.vague = True

    def drop_label(self, kind: str, label: str) -> None:
        """Free the place of a label that no series has any more."""
        self._sets[kind].remove(label)
        if kind == "queue_name":
            self.prefetch_waits.pop(label, None)

    def drop_exception(self, one: TaskSeries, exception: str) -> None:
        """Take out an exception of a series with its counts."""
        if one.exceptions is not None:
            one.exceptions.remove(exception)
        self._taken_by_exceptions -= _places((*one.labels, exception))
        one.retried.pop(exception, None)
        for key in [key for key in one.failed if key[0] == exception]:
            del one.failed[key]

    def prefetch_wait(self, queue: str) -> Histogram | None:
        """Return the histogram of a queue's prefetch waits; None where they are turned off."""
        if not self._prefetch_bounds:
            return None
        histogram = self.prefetch_waits.get(queue)
        if histogram is None:
            histogram = self.prefetch_waits[queue] = Histogram(self._prefetch_bounds)
        return histogram


def _places(values: tuple[str, ...]) -> int:
    """Return how much room labels take: one place for each 64 bytes begun."""
    return max(1, -(-sum(len(value.encode()) for value in values) // LABEL_BYTES))
