"""Puts the fleet back to where a snapshot left it, as far as that can still be true."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeVar

import msgspec

from celery_sentinel.fleet import (
    eviction_of_series,
    labels,
    task_copies,
    task_records,
    task_replacements,
    worker_missed_events,
)
from celery_sentinel.fleet.task_series import CLOSED, STARTED
from celery_sentinel.fleet.worker import State
from celery_sentinel.state import broker_id, file as state_file, schema as state_schema, schema_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from celery_sentinel.fleet import model, task_series, worker
    from celery_sentinel.telemetry import subscription

T = TypeVar("T")

_MONOTONIC = (
    "heard",
    "progress_at",
    "task_heard",
    "idle_at",
    "answered_at",
)
_HEAD = msgspec.msgpack.Decoder(state_schema.Head)
_PORTION = msgspec.msgpack.Decoder(state_schema.Portion)


class Restoration:
    """Restores a fresh fleet, at monotonic ``now`` and epoch ``wall``.

    ``away`` is how many seconds ago the snapshot was taken, by the wall clock: 0 where that has
    been set back. For so long it was we who were deaf, so nobody's silence grows by it: not that
    of workers that may be up, nor that of tasks that may be under way. Everything else is older.
    """

    def __init__(self, fleet: model.Fleet, *, now: float, wall: float) -> None:
        self.away = 0.0
        self._fleet = fleet
        self._now = now
        self._wall = wall
        self._taken_at = 0.0  # monotonic, of the process that took the snapshot
        self._too_many = 0
        self._names: dict[str, str] = {}
        self._bounds: list[tuple[float, ...]] = []
        self._series: list[task_series.TaskSeries] = []
        self._workers: list[worker.Worker] = []

    def read(self, frames: Iterator[bytes], *, broker: str) -> state_schema.Head:
        """Restore all of the fleet; raise StateError, with the fleet half restored.

        A state made for another ``broker`` is refused.
        """
        try:
            head = _HEAD.decode(next(frames, b""))
            if not broker_id.same(head.broker, broker):
                raise state_file.StateError(f"belongs to {head.broker}, this is {broker}")
            self.away = max(0.0, self._wall - head.wall)
            self._taken_at = head.now
            self._too_many = max(0, head.records - self._fleet.records.limit)
            self._labels(head.labels)
            for frame in frames:
                self._portion(_PORTION.decode(frame))
        except msgspec.MsgspecError as error:
            raise state_file.StateError(f"is damaged: {error}") from error
        self._tables(head)
        return head

    # --- times ----------------------------------------------------------------------------

    def _as_old(self, then: float) -> float:
        """Return the moment that is as long ago now as ``then`` was at the snapshot."""
        return min(self._now, then - self._taken_at + self._now)

    def _older(self, then: float) -> float:
        """Return the moment ``then`` in our monotonic time."""
        return self._as_old(then) - self.away

    # --- portions -------------------------------------------------------------------------

    def _portion(self, portion: state_schema.Portion) -> None:
        self._bounds.extend(portion.bounds)
        self._series.extend(map(self._one_series, portion.series))
        self._workers.extend(map(self._worker, portion.workers))
        for queue, row in portion.prefetch_waits.items():
            self._histogram(self._fleet.series.prefetch_wait(queue), row)
        for record in portion.records:
            self._record(record)
        for story in portion.stories:
            self._story(story)
        of_copies = self._fleet.tracker.copies
        for told in portion.shared:
            one = _at(self._series, told.series)
            of_copies.shared[told.uuid] = task_copies.Shared(one, told.retries, told.sent, told.eta)

    def _one_series(self, row: state_schema.Series) -> task_series.TaskSeries:
        one = self._fleet.series.load(row.labels)
        if one is None:  # its counters have no place now, its open tasks need one
            return self._fleet.series.find(*_place(row.labels))
        for name in (
            *("sent", "received", "started", "succeeded", "redelivered", "cancelled"),
            *("last_sent", "last_succeeded", "last_failed"),
        ):
            setattr(one, name, getattr(row, name))
        for exception in row.exceptions:
            self._fleet.series.exception(one, exception)
        one.received_at = self._older(row.received_at) if row.received_at else 0.0
        one.failed = Counter({(why, category): count for why, category, count in row.failed})
        for name in ("retried", "rejected", "revoked", "lost"):
            setattr(one, name, Counter(getattr(row, name)))
        for name in ("runtime_succeeded", "runtime_failed", "queue_wait"):
            self._histogram(getattr(one, name), getattr(row, name))
        one.heard = self._older(row.heard) if row.heard else self._now
        one.told = eviction_of_series.told(one)
        return one

    def _histogram(
        self, found: task_series.Histogram | None, row: state_schema.Histogram | None
    ) -> None:
        """Take over a histogram, unless its bounds have been configured anew."""
        if row is None:
            return
        bounds = _at(self._bounds, row.bounds)
        if len(row.counts) != len(bounds) + 1:
            raise state_file.StateError("is damaged: a histogram has not one count for each bound")
        if found is not None and found.bounds == bounds:
            found.counts, found.sum = row.counts, row.sum

    def _worker(self, row: state_schema.Worker) -> worker.Worker:
        found = self._fleet.workers.find(row.hostname)
        if found is self._fleet.workers.overflowed:
            return found
        for name in schema_rows.SAME:
            setattr(found, name, getattr(row, name))
        found.processed_by_pid = dict(row.processed_by_pid)
        found.skews.extend(row.skews)
        if row.queues is not None:  # each name once, however many workers consume it
            found.queues = tuple(self._names.setdefault(name, name) for name in row.queues)
        for told in row.ledgers:
            _, *balance = msgspec.structs.astuple(told)
            account = found.ledgers[told.pid] = worker_missed_events.Ledger()
            account.resume(worker_missed_events.Balance(*balance))
            found.starts[told.pid] = account.starts
        found.state = State(row.state)
        judged = found.state in {State.LOST, State.OFFLINE}
        if found.state is State.UP:
            found.state = State.UNHEARD
        for name in _MONOTONIC:
            then = getattr(row, name)
            if then:  # 0.0 is never
                setattr(found, name, self._older(then) if judged else self._as_old(then))
        return found

    def _record(self, row: state_schema.Record) -> None:
        table = self._fleet.records
        one, by = _at(self._series, row.series), self._worker_of(row.worker)
        if row.state == CLOSED:
            seen = self._older(row.seen)
            leaves = seen < self._now - table.grace
        else:
            seen = self._as_old(row.seen)
            leaves = self.away > table.ttl
        if leaves or self._too_many:
            if row.state != CLOSED:
                table.evictions["ttl" if leaves else "capacity"] += 1
            self._too_many = max(0, self._too_many - 1)
            return
        record = self._told(row, one, by, seen)
        table.by_id[row.uuid] = record
        if task_records.SEPARATOR in row.uuid:
            self._fleet.tracker.copies.known = True
        if row.state != CLOSED:
            one.in_flight[row.state] += 1
        if row.state == STARTED and by is not None:
            by.running[row.uuid] = record

    def _told(
        self,
        row: state_schema.Record,
        one: task_series.TaskSeries,
        by: worker.Worker | None,
        seen: float,
    ) -> task_records.TaskRecord:
        return task_records.TaskRecord(
            one, by, row.state, seen, row.retries, row.unclosed,
            row.sent, row.eta, row.received, row.started, row.polled, row.expires,
        )  # fmt: skip

    def _story(self, row: state_schema.Story) -> None:
        replaced = self._fleet.tracker.replaced
        if row.alias is not None:
            replaced.aliases[row.uuid] = row.alias
            return
        story = replaced.stories[row.uuid] = task_replacements.Story()
        story.names, story.unannounced = set(row.names), row.unannounced
        if row.coming is not None:
            of, at = row.coming
            story.coming = task_replacements.Announced(_at(self._series, of), at)
        for run in row.earlier:
            one, by = _at(self._series, run.series), self._worker_of(run.worker)
            story.earlier.append(self._told(run, one, by, self._as_old(run.seen)))

    def _worker_of(self, number: int | None) -> worker.Worker | None:
        if number == state_schema.OVERFLOWED:
            return self._fleet.workers.overflowed
        return None if number is None else _at(self._workers, number)

    # --- tables of the head ---------------------------------------------------------------

    def _labels(self, told: state_schema.Labels) -> None:
        """Admit labels first, in their old order: their limits may be lower now."""
        table = self._fleet.series
        table.names.load(told.names, 0)
        table.queues.load(told.queues, 0)
        table.hostnames.load(told.hostnames, 0)

    def _tables(self, head: state_schema.Head) -> None:
        """Set the counts last: on the way here some have grown."""
        fleet, overflow = self._fleet, head.labels.overflow
        fleet.load_event_counts(head.events, head.unknown_types)
        fleet.failures = head.failures
        fleet.last_event_at = head.last_event_at
        fleet.tracker.load(head.orphans, head.clamped_waits)
        fleet.records.evictions.update(head.evictions)
        fleet.records.malformed = head.malformed
        fleet.workers.overflow, fleet.workers.lost = head.workers_overflow, head.workers_lost
        for name in ("names", "queues", "hostnames"):
            getattr(fleet.series, name).overflow = overflow.get(name, 0)
        fleet.series.exception_overflow = overflow.get("exceptions", 0)
        fleet.series.series_overflow = overflow.get("series", 0)
        fleet.room.load(head.labels.forgotten)
        fleet.queues.load_lessons(head.learnt, head.sent_to)
        for row in head.queues:
            for source in row.sources:
                if source != "config":
                    fleet.queues.note(row.name, source, row.mentioned_at)
            if (queue := fleet.queues.by_name.get(row.name)) is not None:
                queue.first_seen = row.first_seen
                queue.lively_at = min(row.lively_at or self._wall, self._wall)
        fleet.queues.overflow = head.queues_overflow
        fleet.queues.folded.update(head.folded)
        fleet.queues.fanout.update(head.fanout)
        for one in fleet.series:
            one.vague = one.vague or one.queue_name in fleet.queues.fanout
        fleet.tracker.now = self._now
        fleet.tracker.unmatched.resume(head.held)


def stream_counts(
    connection: subscription.Subscription,
    told: state_schema.Stream,
    *,
    away: float,
    now: float,
    kept: bool,
) -> None:
    """Restore the counts of our own connection; the time we were away is a break of its own.

    It lasts until the subscription stands again, and is a gap unless the events may have been
    ``kept`` for us; then the subscription decides. A break that was under way goes on.
    """
    for name in ("gaps", "rejected", "salvaged", "control", "failures"):
        getattr(connection, name).update(getattr(told, name))
    connection.resumptions = told.resumptions
    under_way, reason = (0.0, "restart") if told.up else (told.under_way, told.unjudged)
    if reason is not None and not kept:
        connection.gaps[reason] += 1
        reason = None
    since = None if under_way is None else under_way + away
    connection.resume(told.gap_seconds, since, now, reason=reason)


def _place(values: Sequence[str]) -> tuple[str, str, str]:
    """Return name, queue and hostname of labels with or without the last."""
    name, queue, hostname = (*values, *[labels.UNKNOWN] * 3)[:3]
    return name, queue, hostname


def _at(things: Sequence[T], number: int) -> T:
    try:
        if number >= 0:
            return things[number]
    except IndexError:
        pass
    raise state_file.StateError(f"is damaged: it names number {number} of {len(things)}")
