"""Follows each task through its events and adds what happened to the series of its name."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from celery_sentinel.fleet import exceptions, labels
from celery_sentinel.fleet.series import (
    AWAITED,
    CLOSED,
    LONGEST,
    RECEIVED,
    SENT,
    STARTED,
    Histogram,
    SeriesTable,
    TaskSeries,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from celery_sentinel import events
    from celery_sentinel.fleet import queues, records, workers
    from celery_sentinel.fleet.records import TaskRecord
    from celery_sentinel.fleet.worker import Worker


def parse_eta(eta: str | None) -> float | None:
    """Return epoch seconds of an event's ISO ``eta``; naive ones are UTC; None if unreadable."""
    if eta is None:
        return None
    try:
        moment = datetime.fromisoformat(eta)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


class Tracker:
    """Applies task events; the only writer of records and series.

    ``now`` (monotonic seconds) is set by the caller for each batch of events: the receipt.
    """

    def __init__(
        self,
        *,
        series: SeriesTable,
        worker_table: workers.WorkerTable,
        queue_table: queues.QueueTable,
        classifier: exceptions.Classifier,
        record_table: records.RecordTable,
    ) -> None:
        self.series = series
        self.classifier = classifier
        self.now = 0.0
        self.orphans: Counter[str] = Counter()
        self.clamped_waits = 0
        self._workers = worker_table
        self._worker = worker_table.by_hostname
        self._queues = queue_table
        self._records = record_table
        self._by_id = record_table.by_id
        self._sent_series: dict[tuple[str | None, str | None], TaskSeries] = {}

    def handlers(self) -> dict[str, Callable[[events.Event], None]]:
        """Return the method that applies each type of task event."""
        return {
            "task-sent": self.sent,
            "task-received": self.received,
            "task-started": self.started,
            "task-succeeded": self.succeeded,
            "task-failed": self.failed,
            "task-retried": self.retried,
            "task-revoked": self.revoked,
            "task-rejected": self.rejected,
            "task-cancelled": self.cancelled,
        }

    # --- events, hottest first -----------------------------------------------------------

    def sent(self, event: events.Event) -> None:
        """Apply ``task-sent``; its hostname is the producer's and of no use."""
        series = self._sent_series.get((event.name, event.queue))
        if series is None:
            series = self._series_of_sent(event)
        record = self._by_id.get(event.uuid)
        if record is None:
            record = self._records.insert(event.uuid, series, None, SENT, self.now)
            if record is None:
                return
            record.sent = event.timestamp
            record.retries = event.retries
            if event.eta is not None:
                record.eta = parse_eta(event.eta)
        else:
            self._sent_late_or_again(record, series, event)
        series.sent += 1
        series.last_sent = event.timestamp

    def received(self, event: events.Event) -> None:
        """Apply ``task-received``: a first attempt, a retry, or an attempt delivered again."""
        worker = self._worker.get(event.hostname) or self._workers.find(event.hostname)
        worker.task_heard = self.now
        record = self._by_id.get(event.uuid)
        if record is None:
            series = self._series_of(event, worker)
            record = self._records.insert(event.uuid, series, worker, RECEIVED, self.now)
            if record is None:
                return
        else:
            series = record.series
            if series.name == labels.UNKNOWN or self.series.by_hostname:
                series = self._move(record, event, worker)
            state = record.state
            if record.received is not None and event.retries <= record.retries:
                series.redelivered += 1
            elif state == STARTED:
                record.unclosed += 1
            if state == STARTED and record.worker is not None:
                record.worker.running.pop(event.uuid, None)
            in_flight = series.in_flight
            in_flight[state] -= 1
            in_flight[RECEIVED] += 1
            record.state = RECEIVED
            record.worker = worker
            record.seen = self.now
        series.received += 1
        record.received = event.timestamp
        record.retries = event.retries
        if event.eta is not None:
            record.eta = parse_eta(event.eta)

    def started(self, event: events.Event) -> None:
        """Apply ``task-started``; observes how long the task waited."""
        worker = self._worker.get(event.hostname) or self._workers.find(event.hostname)
        worker.task_heard = self.now
        uuid = event.uuid
        record = self._by_id.get(uuid)
        if record is None:
            self.orphans[event.type] += 1
            series = self.series.find(labels.UNKNOWN, self._queue_of(worker), worker.hostname)
            record = self._records.insert(uuid, series, worker, RECEIVED, self.now)
            if record is None:
                return
        series = record.series
        series.started += 1
        if record.state == CLOSED:
            return  # it overtook nothing: its end is known already
        if record.state == STARTED and record.worker is not None:
            record.worker.running.pop(uuid, None)  # started again, elsewhere perhaps
        in_flight = series.in_flight
        in_flight[record.state] -= 1
        in_flight[STARTED] += 1
        record.state = STARTED
        record.seen = self.now
        record.started = at = event.timestamp
        record.worker = worker
        worker.running[uuid] = record
        eta = record.eta
        if record.sent is not None:
            if series.queue_wait is not None:
                self._observe_wait(series.queue_wait, at, record.sent, eta)
            record.sent = None
        if record.received is not None and series.prefetch_wait is not None:
            self._observe_wait(series.prefetch_wait, at, record.received, eta)
        record.eta = None

    def succeeded(self, event: events.Event) -> None:
        """Apply ``task-succeeded``; its ``runtime`` may be null and is then not observed."""
        worker = self._worker.get(event.hostname) or self._workers.find(event.hostname)
        worker.task_heard = self.now
        record = self._by_id.get(event.uuid)
        series = self._orphaned(event, worker) if record is None else record.series
        series.succeeded += 1
        series.last_succeeded = event.timestamp
        if record is not None:
            self._records.close(event.uuid, record, self.now)
        runtime = event.runtime
        histogram = series.runtime_succeeded
        if runtime is not None and histogram is not None and 0 <= runtime < LONGEST:
            histogram.counts[bisect_left(histogram.bounds, runtime)] += 1
            histogram.sum += runtime

    def failed(self, event: events.Event) -> None:
        """Apply ``task-failed``; the run time is from its start to this event."""
        worker = self._worker.get(event.hostname) or self._workers.find(event.hostname)
        worker.task_heard = self.now
        exception, category = self.classifier.classify(event.exception, event.traceback)
        record = self._by_id.get(event.uuid)
        if record is None:
            series = self._orphaned(event, worker, self._unregistered(event, exception))
        else:
            series = record.series
            histogram = series.runtime_failed
            if record.state == STARTED and record.started is not None and histogram is not None:
                runtime = max(0.0, event.timestamp - record.started)
                if runtime < LONGEST:
                    histogram.counts[bisect_left(histogram.bounds, runtime)] += 1
                    histogram.sum += runtime
            self._records.close(event.uuid, record, self.now)
        series.failed[self.series.exception(series, exception), category] += 1
        series.last_failed = event.timestamp

    def retried(self, event: events.Event) -> None:
        """Apply ``task-retried``, which may come after the next attempt was received, or ended."""
        record, series = self._ending(event)
        exception, _ = self.classifier.classify(event.exception, event.traceback)
        series.retried[self.series.exception(series, exception)] += 1
        if record is None or record.state == CLOSED:
            return
        if record.unclosed:
            record.unclosed -= 1
            return
        self._records.leave(event.uuid, record, AWAITED if record.sent is None else SENT, self.now)

    def revoked(self, event: events.Event) -> None:
        """Apply ``task-revoked``; a task revoked before it ran was perhaps never received."""
        record, series = self._ending(event)
        reason = "expired" if event.expired else "revoked"
        if event.terminated:
            reason = "terminated"
        series.revoked[reason] += 1
        if record is not None:
            self._records.close(event.uuid, record, self.now)

    def rejected(self, event: events.Event) -> None:
        """Apply ``task-rejected``; a requeued task is awaited again."""
        record, series = self._ending(event)
        series.rejected["true" if event.requeue else "false"] += 1
        if record is None or record.state == CLOSED:
            return
        if event.requeue:
            self._records.leave(event.uuid, record, AWAITED, self.now)
        else:
            self._records.close(event.uuid, record, self.now)

    def cancelled(self, event: events.Event) -> None:
        """Apply ``task-cancelled``: its worker lost the broker, or shut down, in its midst."""
        record, series = self._ending(event)
        series.cancelled += 1
        if record is not None:
            self._records.close(event.uuid, record, self.now)

    # --- what workers tell ---------------------------------------------------------------

    def lose(self, worker: Worker) -> None:
        """Close what ran on a worker that was declared dead: lost."""
        for uuid, record in list(worker.running.items()):
            record.series.lost["worker_lost"] += 1
            self._records.close(uuid, record, self.now)
        worker.running.clear()

    def close_unheard(self, worker: Worker, before: float) -> None:
        """Close what was started before ``before`` (monotonic) on a worker that has been idle.

        A task that ends in ``Ignore`` has no closing event.
        """
        for uuid, record in list(worker.running.items()):
            if record.seen < before:
                self._records.close(uuid, record, self.now)

    # --- finding the series --------------------------------------------------------------

    def _ending(self, event: events.Event) -> tuple[TaskRecord | None, TaskSeries]:
        worker = self._worker.get(event.hostname) or self._workers.find(event.hostname)
        worker.task_heard = self.now
        record = self._by_id.get(event.uuid)
        return record, self._orphaned(event, worker) if record is None else record.series

    def _orphaned(self, event: events.Event, worker: Worker, name: str | None = None) -> TaskSeries:
        """Return the series for the end of a task of which nothing else was heard."""
        if name is None:
            self.orphans[event.type] += 1
            name = labels.UNKNOWN
        return self.series.find(name, self._queue_of(worker), worker.hostname)

    def _unregistered(self, event: events.Event, exception: str) -> str | None:
        """Return the name of a task no worker knows: it is received nowhere, but fails by name."""
        if exception != "NotRegistered" or event.exception is None:
            return None
        return exceptions.first_argument(event.exception)

    def _series_of_sent(self, event: events.Event) -> TaskSeries:
        """Return the series a ``task-sent`` names, and remember it where both names are plain."""
        name, queue = event.name or labels.UNKNOWN, self._queues.of_sent(event)
        series = self.series.find(name, queue, labels.UNKNOWN)
        if (series.name, series.queue_name) == (event.name, event.queue):
            self._sent_series[event.name, event.queue] = series
        return series

    def _series_of(self, event: events.Event, worker: Worker) -> TaskSeries:
        name = event.name or labels.UNKNOWN
        return self.series.find(name, self._queues.infer(name, worker), worker.hostname)

    def _queue_of(self, worker: Worker) -> str:
        consumed = worker.queues
        return consumed[0] if consumed is not None and len(consumed) == 1 else labels.UNKNOWN

    def _move(self, record: TaskRecord, event: events.Event, worker: Worker) -> TaskSeries:
        """Give a record the series its name, queue and worker ask for, now that they are known."""
        old = record.series
        name = event.name or old.name
        queue = old.queue_name
        if queue == labels.UNKNOWN:
            queue = self._queues.infer(name, worker)
        return self._reseat(record, self.series.find(name, queue, worker.hostname))

    def _reseat(self, record: TaskRecord, series: TaskSeries) -> TaskSeries:
        if series is not record.series:
            if record.state != CLOSED:
                record.series.in_flight[record.state] -= 1
                series.in_flight[record.state] += 1
            record.series = series
        return series

    def _sent_late_or_again(
        self, record: TaskRecord, series: TaskSeries, event: events.Event
    ) -> None:
        """Apply a ``task-sent`` for a task already known.

        Either its worker's events overtook it, or it announces the next attempt of a retry.
        """
        state = record.state
        if record.series.queue_name == labels.UNKNOWN != series.queue_name and state != CLOSED:
            hostname = record.worker.hostname if record.worker else labels.UNKNOWN
            name = record.series.name if event.name is None else event.name
            self._reseat(record, self.series.find(name, series.queue_name, hostname))
        if event.retries > record.retries:
            record.sent = event.timestamp
            if state in {RECEIVED, STARTED}:
                return  # the eta comes again with its task-received
            record.eta = parse_eta(event.eta)
            if state == AWAITED:
                self._records.leave(event.uuid, record, SENT, self.now)
        elif state == RECEIVED:
            record.sent = event.timestamp
        elif record.started is not None and record.sent is None and event.retries == record.retries:
            histogram = record.series.queue_wait
            if histogram is not None:
                eta = parse_eta(event.eta)
                self._observe_wait(histogram, record.started, event.timestamp, eta)

    def _observe_wait(
        self, histogram: Histogram, until: float, since: float, eta: float | None
    ) -> None:
        if eta is not None and eta > since:
            since = eta
        wait = until - since
        if wait < 0:
            self.clamped_waits += 1
            wait = 0.0
        elif wait > LONGEST:
            return
        histogram.counts[bisect_left(histogram.bounds, wait)] += 1
        histogram.sum += wait
