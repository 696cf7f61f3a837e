"""Takes a snapshot of the fleet without holding up the receiver: by slices, encoded in between."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from celery_sentinel.state import encoding, schema as state_schema, schema_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from celery_sentinel.fleet import model, task_records, task_series
    from celery_sentinel.fleet.worker import Worker
    from celery_sentinel.telemetry import subscription

T = TypeVar("T")

RECORDS = 1000  # in a slice: some 2 ms under the lock
ENTRIES = 128  # series, workers or histograms in a slice


class Origin(NamedTuple):
    """Whose state it is: of which broker, of which line of daemons, counting since (epoch)."""

    broker: str
    lineage: str
    since: float


class Snapshot:
    """One snapshot; ``frames`` yields it encoded, ``longest_hold`` is seconds under the lock.

    Each entry is as it was at one moment, the moments of two entries may be as far apart as the
    snapshot takes. Series come before records: a task may be missing in the counters that its
    record says has ended, as if its last event had been lost, never the other way round. Where
    nobody writes meanwhile the snapshot is exact. ``rest`` is called between two slices; a slice
    has so many ``records``.
    """

    def __init__(
        self,
        fleet: model.Fleet,
        connection: subscription.Subscription,
        *,
        rest: Callable[[], None],
        records: int = RECORDS,
    ) -> None:
        self.longest_hold = 0.0
        self._fleet = fleet
        self._connection = connection
        self._rest = rest
        self._slice = records
        self._ids: list[str] = []
        self._numbers: dict[Hashable, int] = {}
        self._counts = dict.fromkeys(("bounds", "series", "workers"), 0)
        self._portion = state_schema.Portion()

    def frames(self, origin: Origin, *, now: float, wall: float, final: bool) -> Iterator[bytes]:
        """Yield the head, then the portions; it is ``now`` (monotonic), ``wall`` (epoch)."""
        with self._held():
            head = self._head(origin, now=now, wall=wall, final=final)
            all_series, workers = list(self._fleet.series), list(self._fleet.workers)
            waits = list(self._fleet.series.prefetch_waits.items())
        yield encoding.encode(head)
        yield from self._rows(all_series, self._series_number)
        yield from self._rows(workers, self._worker_number)
        for part in _slices(waits, ENTRIES):
            with self._held():
                self._portion.prefetch_waits = {
                    queue: self._histogram(histogram) for queue, histogram in part
                }
            yield self._encoded()
        with self._held():
            self._ids = list(self._fleet.records.by_id)
        yield from self._records()
        yield from self._stories()

    def _rows(self, rows: Sequence[T], number: Callable[[T], object]) -> Iterator[bytes]:
        """Put rows into portions by asking for their numbers."""
        for part in _slices(rows, ENTRIES):
            with self._held():
                for row in part:
                    number(row)
            yield self._encoded()

    def _records(self) -> Iterator[bytes]:
        by_id = self._fleet.records.by_id
        for part in _slices(self._ids, self._slice):
            with self._held():
                rows = self._portion.records
                for uuid in part:
                    record = by_id.get(uuid)
                    if record is not None and self._is_kept(record.series):
                        rows.append(self._record(uuid, record))
            yield self._encoded()

    def _record(self, uuid: str, record: task_records.TaskRecord) -> state_schema.Record:
        return state_schema.Record(
            uuid,
            self._series_number(record.series),
            self._worker_number(record.worker),
            record.state,
            record.seen,
            record.retries,
            record.unclosed,
            record.sent,
            record.eta,
            record.received,
            record.started,
            record.polled,
            record.expires,
        )

    def _stories(self) -> Iterator[bytes]:
        """Yield what is known of ids that several runs have: some thousands at most."""
        replaced = self._fleet.tracker.replaced
        with self._held():
            for uuid, alias in replaced.aliases.items():
                self._portion.stories.append(state_schema.Story(uuid, [], 0, None, [], alias))
            for uuid, story in replaced.stories.items():
                coming = story.coming
                told = None
                if coming is not None and self._is_kept(coming.series):
                    told = self._series_number(coming.series), coming.at
                runs = [run for run in story.earlier if self._is_kept(run.series)]
                earlier = [self._record(uuid, run) for run in runs]
                names = sorted(story.names)
                self._portion.stories.append(
                    state_schema.Story(uuid, names, story.unannounced, told, earlier)
                )
            for uuid, one in self._fleet.tracker.copies.shared.items():
                number = self._series_number(one.series)
                row = state_schema.Shared(uuid, number, one.retries, one.sent, one.eta)
                self._portion.shared.append(row)
        if self._portion.stories or self._portion.shared:
            yield self._encoded()

    def _is_kept(self, one: task_series.TaskSeries) -> bool:
        """Tell whether the series of a record has a place: that of one that ended may have gone."""
        return one in self._numbers or one in self._fleet.series

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Hold the model still, and note for how long."""
        self._rest()
        with self._fleet.lock.reading():
            begun = time.perf_counter()
            yield
            self.longest_hold = max(self.longest_hold, time.perf_counter() - begun)

    def _encoded(self) -> bytes:
        portion, self._portion = self._portion, state_schema.Portion()
        return encoding.encode(portion)

    # --- rows -----------------------------------------------------------------------------

    def _number(self, kind: str, thing: Hashable) -> int:
        number = self._numbers[thing] = self._counts[kind]
        self._counts[kind] += 1
        return number

    def _series_number(self, one: task_series.TaskSeries) -> int:
        """Return the number of a series; a new one is put into this portion."""
        number = self._numbers.get(one)
        if number is None:
            self._portion.series.append(self._series(one))
            number = self._number("series", one)
        return number

    def _worker_number(self, worker: Worker | None) -> int | None:
        if worker is None:
            return None
        number = self._numbers.get(worker)
        if number is None:
            if self._fleet.workers.by_hostname.get(worker.hostname) is not worker:
                return state_schema.OVERFLOWED  # it has no place, or gave it up
            self._portion.workers.append(schema_rows.worker(worker))
            number = self._number("workers", worker)
        return number

    def _histogram(self, histogram: task_series.Histogram) -> state_schema.Histogram:
        number = self._numbers.get(histogram.bounds)
        if number is None:
            self._portion.bounds.append(histogram.bounds)
            number = self._number("bounds", histogram.bounds)
        return state_schema.Histogram(number, histogram.counts.copy(), histogram.sum)

    def _series(self, one: task_series.TaskSeries) -> state_schema.Series:
        all_waits = (one.runtime_succeeded, one.runtime_failed, one.queue_wait)
        succeeded, failed, queue_wait = (
            None if found is None else self._histogram(found) for found in all_waits
        )
        return state_schema.Series(
            one.labels,
            one.sent,
            one.received,
            one.started,
            one.succeeded,
            one.redelivered,
            one.cancelled,
            [(*why, count) for why, count in one.failed.items()],
            list(one.exceptions or ()),
            dict(one.retried),
            dict(one.rejected),
            dict(one.revoked),
            dict(one.lost),
            one.last_sent,
            one.last_succeeded,
            one.last_failed,
            one.received_at,
            succeeded,
            failed,
            queue_wait,
            one.heard,
        )

    # --- the head -------------------------------------------------------------------------

    def _head(self, origin: Origin, *, now: float, wall: float, final: bool) -> state_schema.Head:
        fleet = self._fleet
        learnt, sent_to = fleet.queues.lessons()
        return state_schema.Head(
            broker=origin.broker,
            lineage=origin.lineage,
            since=origin.since,
            wall=wall,
            now=now,
            final=final,
            records=len(fleet.records.by_id),
            events=fleet.event_counts,
            unknown_types=fleet.unknown_types,
            failures=fleet.failures,
            last_event_at=fleet.last_event_at,
            orphans=dict(fleet.tracker.orphans),
            clamped_waits=fleet.tracker.clamped_waits,
            evictions=dict(fleet.records.evictions),
            malformed=fleet.records.malformed,
            workers_overflow=fleet.workers.overflow,
            workers_lost=fleet.workers.lost,
            labels=self._labels(),
            stream=schema_rows.stream(self._connection, now),
            queues_overflow=fleet.queues.overflow,
            queues=[
                state_schema.Queue(
                    queue.name,
                    sorted(queue.sources),
                    queue.mentioned_at,
                    queue.first_seen,
                    queue.lively_at,
                )
                for queue in fleet.queues
            ],
            learnt=learnt,
            sent_to=sent_to,
            folded=sorted(fleet.queues.folded),
            fanout=sorted(fleet.queues.fanout),
            held=fleet.tracker.unmatched.held.everything() if final else [],
        )

    def _labels(self) -> state_schema.Labels:
        table = self._fleet.series
        return state_schema.Labels(
            names=list(table.names),
            queues=list(table.queues),
            hostnames=list(table.hostnames),
            overflow={
                "names": table.names.overflow,
                "queues": table.queues.overflow,
                "hostnames": table.hostnames.overflow,
                "exceptions": table.exception_overflow,
                "series": table.series_overflow,
            },
            forgotten=self._fleet.room.forgotten,
        )


def _slices(rows: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
