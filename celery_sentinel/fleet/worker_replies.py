"""What workers answer about themselves, and what it says about the tasks they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.fleet import labels, task_records, worker_rate_limits
from celery_sentinel.fleet.task_series import CLOSED, STARTED
from celery_sentinel.fleet.worker import MOST_QUEUES, State

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from celery_sentinel import poll_results
    from celery_sentinel.fleet import missed_events, queues, task_tracker, workers
    from celery_sentinel.fleet.worker import Worker

INTERVALS_KEPT = 3
MAX_COUNT = 2**63
# An answer and the events of the same moment may overtake each other by so much, in seconds.
MARGIN = 3.0


class Answers:
    """Takes over what workers answered; ``interval`` is that of the poll, in seconds.

    What a worker is (its pool, its slots, its queues) is kept while it does not answer; what it
    holds at the moment is dropped after three intervals.
    """

    def __init__(
        self,
        *,
        worker_table: workers.WorkerTable,
        queue_table: queues.QueueTable,
        record_table: task_records.RecordTable,
        tracker: task_tracker.Tracker,
        audit: missed_events.MissedEvents,
        interval: float,
    ) -> None:
        self.interval = interval
        self.known_at: float | None = None  # monotonic: the last poll that was answered
        self._workers = worker_table
        self._queues = queue_table
        self._records = record_table
        self._tracker = tracker
        self._missed_events = audit

    def apply(
        self,
        found: Iterable[poll_results.WorkerReading],
        *,
        asked_at: float,
        now: float,
        wall: float,
        among: Collection[str] | None = None,
    ) -> None:
        """Take over one round: asked at monotonic ``asked_at``, done at ``now``.

        Only the workers ``among`` were asked, or all; of those the silent ones are noted.
        """
        by_hostname = {labels.clean(reading.hostname): reading for reading in found}
        told: dict[Worker, poll_results.WorkerReading] = {}
        self._missed_events.new_round(now, self._workers)
        for hostname, reading in by_hostname.items():
            worker = self._workers.find(hostname)
            if worker is not self._workers.overflowed and not _is_anothers(reading, worker):
                self._note(worker, reading, asked_at=asked_at, now=now, wall=wall)
                told[worker] = reading
        worker_rate_limits.note(told, self._records, now)
        for worker in self._workers:
            asked = among is None or worker.hostname in among
            if not asked or worker.hostname in by_hostname:
                continue
            worker.missed_at = now
            if worker.state is State.UP:
                # The first question may go out before a new worker listens.
                heard_us = worker.answered_at is not None or worker.unanswered
                worker.responding = False if heard_us else None
                worker.unanswered += 1
                worker.asked_in_vain = worker.answered_at is None
        if among is None:
            self.known_at = now

    def expire(self, now: float) -> None:
        """Drop what is too old to be true."""
        limit = now - INTERVALS_KEPT * self.interval
        if self.known_at is not None and self.known_at < limit:
            self.known_at = None
        for worker in self._workers:
            if worker.answered_at is not None and worker.answered_at < limit:
                worker.reserved = worker.scheduled = worker.pool_size = None
            if self.known_at is None and (worker.answered_at or 0.0) < limit:
                worker.responding, worker.unanswered = None, 0

    def _note(
        self,
        worker: Worker,
        reading: poll_results.WorkerReading,
        *,
        asked_at: float,
        now: float,
        wall: float,
    ) -> None:
        worker.answered_at = now
        worker.responding, worker.unanswered = True, 0
        worker.duplicate = worker.duplicate or reading.answers > 1
        self._missed_events.answered(worker, reading, now)
        worker.pool = labels.clean(reading.pool) if reading.pool else worker.pool
        _note_slots(worker, reading)
        worker.prefetch_count = _count(reading.prefetch_count, worker.prefetch_count)
        worker.max_rss_bytes = _count(reading.max_rss_bytes, worker.max_rss_bytes)
        worker.reserved = _count(reading.reserved, None)
        worker.scheduled = _count(reading.scheduled, None)
        if reading.queues is not None:
            names = filter(None, reading.queues[:MOST_QUEUES])
            consumed = (self._queues.consumed(name, wall) for name in names)
            worker.queues = tuple(dict.fromkeys(consumed))
            worker.unconsuming = 0 if worker.queues else worker.unconsuming + 1
            fresh = [name for name in worker.queues if name not in worker.consumed]
            worker.consumed = (*worker.consumed, *fresh)[-MOST_QUEUES:]
            for binding in reading.bindings:
                self._queues.bound(binding)
        if reading.active is not None:
            if not worker.duplicate:  # what runs on a namesake is not in this answer
                ids = {task.task_id for task in reading.active}
                self._close_missing(worker, ids, asked_at=asked_at, now=now)
            for task in reading.active:
                self._runs(worker, task, asked_at=asked_at, now=now)

    def _close_missing(
        self, worker: Worker, ids: Collection[str], *, asked_at: float, now: float
    ) -> None:
        """Close what the tracker takes for running on a worker that does not say so.

        Twice in a row not among ``ids``, and started well before we asked: the end was not heard.
        """
        gone = {
            uuid
            for uuid, record in worker.running.items()
            if uuid.partition(task_records.SEPARATOR)[0] not in ids
            and record.seen < asked_at - MARGIN
        }
        for uuid in gone & worker.missing:
            record = worker.running.get(uuid)
            if record is not None:
                self._records.close(uuid, record, now)
        worker.missing = frozenset(gone - worker.missing)

    def _runs(
        self, worker: Worker, task: poll_results.ActiveTask, *, asked_at: float, now: float
    ) -> None:
        """Note that a task runs, even if its events were lost or came before our time."""
        self._tracker.unmatched.release(task.task_id)
        copy = f"{task.task_id}{task_records.SEPARATOR}{worker.hostname}"
        uuid = copy if copy in self._records.by_id else task.task_id
        record = self._records.by_id.get(uuid)
        if record is None:
            series = self._tracker.places.active(task, worker)
            record = task_records.TaskRecord(series, worker, STARTED, now)
            if not self._records.insert(uuid, record):
                return
        elif record.state != STARTED or record.worker is not worker:
            if record.seen > asked_at - MARGIN:
                return  # its events are newer than the answer
            record.started = None
            if record.state == CLOSED:
                record.series.in_flight[STARTED] += 1
                record.state = STARTED
            else:
                self._records.leave(uuid, record, STARTED, now)
        elif record.series.queue_name == labels.UNKNOWN:
            self._tracker.places.told(record, task, worker)
        record.seen = now
        if record.started is None:
            record.polled = True
            if 0 < (task.started_at or 0.0) < MAX_COUNT:
                record.started = task.started_at
        record.worker = worker
        worker.running[uuid] = record


def _note_slots(worker: Worker, reading: poll_results.WorkerReading) -> None:
    """Note how many tasks it can run at once; of namesakes only what several have told.

    An answer of one of them may come too late to be read with that of the other.
    """
    if not worker.duplicate or reading.answers > 1:
        worker.concurrency = _count(reading.concurrency, worker.concurrency)
        worker.pool_size = _count(reading.pool_size, None)
        worker.slots_told_by = reading.answers
    elif worker.slots_told_by < reading.answers + 1:
        worker.concurrency = worker.pool_size = None


def _is_anothers(reading: poll_results.WorkerReading, worker: Worker) -> bool:
    """Tell whether a process answered that is not, or not yet, the one whose events we hear."""
    known = worker.pid is not None and reading.pid is not None and not worker.duplicate
    return known and reading.answers == 1 and reading.pid != worker.pid


def _count(value: int | None, otherwise: int | None) -> int | None:
    return value if value is not None and 0 <= value < MAX_COUNT else otherwise
