"""Remembers every task under way, and no more of them than it was allowed."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from celery_sentinel.fleet.task_series import AWAITED, CLOSED, RECEIVED, SENT, STARTED, TaskSeries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from celery_sentinel.fleet.worker import Worker

MAX_ID_LENGTH = 255
MAX_FOREIGN_ID_LENGTH = (
    64  # of an id that is not ASCII, each character of which takes up to 4 bytes
)
SEPARATOR = "\n"  # of a task id and the worker that has a copy of the task
SWEEP_SLICE = 2000
EVICTION_SHARE = 16
# Clocks differ, and an event, a poll and a message on its way take their time: seconds.
MARGIN = 5.0
EXPIRY_MARGIN = 10.0


class TaskRecord(msgspec.Struct, gc=False):
    """What is remembered of one task, keyed by its id: no arguments, results or tracebacks.

    Outside the garbage collector, as there are hundreds of thousands; every cycle it is in
    goes through ``Worker.running`` and is undone when the record closes. ``sent``, ``eta``,
    ``expires``, ``received`` and ``started`` are epoch seconds of the senders' clocks, for the
    newest attempt; ``seen`` is our monotonic clock. ``unclosed`` counts earlier attempts whose
    ``task-retried`` is still to come. ``polled`` says that only its worker's answer to a poll has
    told of the start, so that its events may be still to come, the waits with them.
    """

    series: TaskSeries
    worker: Worker | None
    state: int
    seen: float
    retries: int = 0
    unclosed: int = 0
    sent: float | None = None
    eta: float | None = None
    received: float | None = None
    started: float | None = None
    polled: bool = False
    expires: float | None = None


class RecordTable:
    """Records by task id, at most ``limit``; the event path reads ``by_id`` directly.

    A record leaves ``ttl`` seconds after it was last seen, an ended one after ``grace``: a
    retry reuses its id, and its events may come late. ``now`` is monotonic, the receipt.
    ``emptied`` has, by queue, when (monotonic, epoch) it last was proven to hold nothing.
    """

    def __init__(self, *, limit: int, ttl: float, grace: float) -> None:
        self.by_id: dict[str, TaskRecord] = {}
        self.limit = limit
        self.ttl = ttl
        self.grace = grace
        self.emptied: dict[str, tuple[float, float]] = {}
        self.evictions: Counter[str] = Counter(capacity=0, ttl=0)
        self.malformed = 0
        self._sweep: Iterator[str] = iter(())

    def insert(self, uuid: str, record: TaskRecord) -> bool:
        """Begin to follow a task; False, and counted, if its id cannot be a key."""
        if not 0 < len(uuid) <= MAX_FOREIGN_ID_LENGTH and not _is_long_id(uuid):
            self.malformed += 1
            return False
        records = self.by_id
        if len(records) >= self.limit:
            self._make_room()
        records[uuid] = record
        record.series.in_flight[record.state] += 1
        return True

    def admit_copy(self, key: str, record: TaskRecord) -> None:
        """Begin to follow a copy of a task, under a key with SEPARATOR in it."""
        if len(self.by_id) >= self.limit:
            self._make_room()
        self.by_id[key] = record
        record.series.in_flight[record.state] += 1

    def leave(self, uuid: str, record: TaskRecord, state: int, now: float) -> None:
        """Move a record to a state in which it does not run."""
        in_flight = record.series.in_flight
        in_flight[record.state] -= 1
        in_flight[state] += 1
        if record.state == STARTED and record.worker is not None:
            record.worker.running.pop(uuid, None)
        record.state = state
        record.seen = now
        record.polled = False

    def close(self, uuid: str, record: TaskRecord, now: float) -> None:
        """End a record; it stays for its time of grace."""
        state = record.state
        if state == CLOSED:
            return
        record.series.in_flight[state] -= 1
        if state == STARTED and record.worker is not None:
            record.worker.running.pop(uuid, None)
        record.state = CLOSED
        record.seen = now

    def sweep(self, now: float, wall: float) -> None:
        """Look at the next slice of records: drop the ended, give up the overdue and the purged.

        A task with an eta (epoch seconds, as ``wall``) is overdue ``ttl`` after that, unless the
        place of its series is needed: anybody may name a year in which nobody lives.
        """
        records = self.by_id
        give_up, drop, overdue = now - self.ttl, now - self.grace, wall - self.ttl
        for looked_at, uuid in enumerate(self._sweep, start=1):
            record = records.get(uuid)
            if record is not None:
                if record.state == CLOSED:
                    if record.seen < drop:
                        del records[uuid]
                elif record.seen < give_up:
                    if record.eta is None or record.eta < overdue:
                        self._evict(uuid, record, "ttl")
                    elif record.series.leaving:
                        self._evict(uuid, record, "capacity")
                elif record.state == SENT and self._is_gone(record, wall):
                    self.leave(uuid, record, AWAITED, record.seen)  # it may be heard of yet
            if looked_at >= SWEEP_SLICE:
                return
        self._sweep = iter(list(records))

    def _is_gone(self, record: TaskRecord, wall: float) -> bool:
        """Tell whether a task that was sent is known to lie in no queue, or will not be run."""
        expires, eta = record.expires, record.eta
        if expires is not None and expires < wall - EXPIRY_MARGIN:
            return True
        asked_at, then = self.emptied.get(record.series.queue_name, (0.0, 0.0))
        return record.seen < asked_at - MARGIN and (eta is None or eta < then - MARGIN)

    def _make_room(self) -> None:
        """Drop a share of the records, the ended before the open, the oldest first."""
        share = max(1, self.limit // EVICTION_SHARE)
        half = list(islice(self.by_id.items(), max(share, len(self.by_id) // 2)))
        ended = [uuid for uuid, record in half if record.state == CLOSED][:share]
        for uuid in ended:
            del self.by_id[uuid]
        if len(ended) < share:
            still_open = ((u, record) for u, record in half if record.state != CLOSED)
            for uuid, record in islice(still_open, share - len(ended)):
                self._evict(uuid, record, "capacity")

    def _evict(self, uuid: str, record: TaskRecord, reason: str) -> None:
        if record.state in {RECEIVED, STARTED} and reason == "ttl":
            record.series.lost["expired"] += 1
        self.close(uuid, record, record.seen)
        del self.by_id[uuid]
        self.evictions[reason] += 1


def _is_long_id(uuid: str) -> bool:
    return MAX_FOREIGN_ID_LENGTH < len(uuid) <= MAX_ID_LENGTH and uuid.isascii()
