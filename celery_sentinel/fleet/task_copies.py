"""A broadcast task runs once on each worker: this gives each copy a record of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from celery_sentinel.fleet import labels
from celery_sentinel.fleet.task_records import SEPARATOR, TaskRecord
from celery_sentinel.fleet.task_series import SENT, STARTED
from celery_sentinel.fleet.worker import State

if TYPE_CHECKING:
    from celery_sentinel.events.event import Event
    from celery_sentinel.fleet import queues, task_records
    from celery_sentinel.fleet.task_series import SeriesTable, TaskSeries
    from celery_sentinel.fleet.worker import Worker

MOST_SHARED = 10_000  # ids; a copy that is received after that is taken for a task of its own


class Shared(NamedTuple):
    """What a task-sent, or the first copy, says of all copies; times are epoch seconds."""

    series: TaskSeries
    retries: int
    sent: float | None
    eta: float | None


class Copies:
    """Finds the record of a copy, under its id and its worker's name.

    An id that a second worker receives is a copy if its queue hangs on a fanout exchange, each
    worker with a queue of its own; else it was delivered again. ``shared`` has what is known of
    ids with copies; the event path reads it. ``known`` is False as long as there never were any.
    """

    __slots__ = ("_queues", "_records", "_series", "known", "shared")

    def __init__(
        self,
        record_table: task_records.RecordTable,
        series: SeriesTable,
        queue_table: queues.QueueTable,
    ) -> None:
        self.shared: dict[str, Shared] = {}
        self.known = False
        self._records = record_table
        self._series = series
        self._queues = queue_table

    def key(self, event: Event, worker: Worker, now: float) -> str | None:
        """Return the key of the record of this worker's copy; None if the task has no copies."""
        key = f"{event.uuid}{SEPARATOR}{worker.hostname}"
        if key in self._records.by_id:
            return key
        found = self.shared.get(event.uuid)
        if found is None:
            return None
        name, queue = found.series.name, found.series.queue_name
        series = self._series.find(name, queue, worker.hostname)
        record = TaskRecord(series, None, SENT, now, found.retries, 0, found.sent, found.eta)
        self._records.admit_copy(key, record)
        return key

    def part(self, record: TaskRecord, event: Event, worker: Worker) -> bool:
        """Tell whether a ``task-received`` is of a copy; the record is then that of one alone."""
        if not self._is_copy(record, event, worker):
            return False
        uuid = event.uuid
        if len(self.shared) >= MOST_SHARED:
            del self.shared[next(iter(self.shared))]
        self.known = True
        self.shared[uuid] = Shared(record.series, record.retries, record.sent, record.eta)
        by_id = self._records.by_id
        del by_id[uuid]
        first = record.worker
        if first is None:
            record.series.in_flight[record.state] -= 1
        else:
            key = f"{uuid}{SEPARATOR}{first.hostname}"
            before = by_id.get(key)
            if before is not None:
                self._records.close(key, before, before.seen)
            by_id[key] = record
            if record.state == STARTED:
                del first.running[uuid]
                first.running[key] = record
        return True

    def _is_copy(self, record: TaskRecord, event: Event, worker: Worker) -> bool:
        fanout = self._queues.fanout
        first, queue = record.worker, record.series.queue_name
        if not fanout or SEPARATOR in event.uuid:
            return False
        if first is None:
            return record.state == SENT and record.received is None and queue in fanout
        if first is worker or event.retries != record.retries:
            return False
        if queue != labels.UNKNOWN and queue not in fanout:
            return False
        if queue == labels.UNKNOWN and first.state is not State.UP:
            return False
        both = fanout.intersection(first.queues or ()).intersection(worker.queues or ())
        competing = {name for name in both if name not in self._queues.folded}
        return not competing and (bool(both) or queue in fanout)
