"""Follows each task through its events and adds what happened to the series of its name."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from celery_sentinel.fleet import (
    task_attribution,
    task_copies,
    task_endings,
    task_order,
    task_replacements,
    task_waits,
    unmatched_events,
)
from celery_sentinel.fleet.task_records import TaskRecord
from celery_sentinel.fleet.task_series import (
    CLOSED,
    LONGEST,
    RECEIVED,
    SENT,
    STARTED,
    SeriesTable,
    TaskSeries,
)

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Mapping

    from celery_sentinel.events.event import Event
    from celery_sentinel.fleet import queues, task_exceptions, task_records, workers


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
        classifier: task_exceptions.Classifier,
        record_table: task_records.RecordTable,
        on_failure: Callable[[Exception], None],
    ) -> None:
        self.series = series
        self.classifier = classifier
        self.now = 0.0
        self.workers = self._worker = worker_table.by_hostname
        self._records = record_table
        self._by_id = record_table.by_id
        self.places = task_attribution.Places(series, queue_table)
        self._sent_series = self.places.of_sent
        self._waits = task_waits.Waits()
        self.replaced = task_replacements.Replacements(record_table, self.places, self._waits)
        self._stories = self.replaced.stories
        self._order = task_order.TaskOrder(record_table, self.places, self._waits, self.replaced)
        self._announced = self._order.announced
        self.copies = task_copies.Copies(record_table, series, queue_table)
        self._endings = task_endings.Endings(self, record_table, self._order)
        self.unmatched = unmatched_events.UnmatchedEvents(
            self.copies,
            self.places,
            self._worker,
            self.handlers(),
            names=series.names.limit,
            on_failure=on_failure,
        )
        self._held = self.unmatched.held.by_id
        self._shared = self.copies.shared

    @property
    def orphans(self) -> Counter[str]:
        """How many events, by type, were of tasks of which nothing had been heard before."""
        return self.places.orphans

    @property
    def clamped_waits(self) -> int:
        """How many waits came out so far below 0 that clocks must differ."""
        return self._waits.clamped

    def load(self, orphans: Mapping[str, int], clamped_waits: int) -> None:
        """Take over these two counts of before a restart."""
        self.places.orphans.update(orphans)
        self._waits.clamped = clamped_waits

    def handlers(self) -> dict[str, Callable[[Event], None]]:
        """Return the method that applies each type of task event."""
        return {
            "task-sent": self.sent,
            "task-received": self.received,
            "task-started": self.started,
            "task-succeeded": self.succeeded,
            "task-failed": self.failed,
            **self._endings.handlers(),
        }

    # --- events, hottest first -----------------------------------------------------------

    def sent(self, event: Event) -> None:
        """Apply ``task-sent``; its hostname is the producer's and of no use."""
        series = self._sent_series.get((event.name, event.queue))
        if series is None or event.exchange:
            series = self.places.sent(event)
        uuid, at = event.uuid, event.timestamp
        record = self._by_id.get(uuid)
        if record is None:
            if (self._held or self._shared) and self.unmatched.sent(event, series):
                return
            eta = None if event.eta is None else task_waits.parse_eta(event.eta)
            record = TaskRecord(series, None, SENT, self.now, event.retries, 0, at, eta)
            if event.expires is not None:
                record.expires = task_waits.parse_eta(event.expires)
            if event.parent_id is not None and event.parent_id == uuid:
                self.replaced.begun(event)
            if not self._records.insert(uuid, record):
                return
        else:
            vague = record.series
            self._order.sent(record, series, event, self.now)
            if vague is not record.series and vague.vague:
                self.unmatched.held.worth(event.name)
        series.sent += 1
        series.last_sent = at

    def received(self, event: Event) -> None:  # noqa: C901 -- hot, as ``started``
        """Apply ``task-received``: a first attempt, a retry, or an attempt delivered again."""
        now, worker = self.now, self._worker[event.hostname]
        worker.task_heard = now
        record = self._by_id.get(event.uuid)
        if record is None:
            if self.unmatched.aside(event, worker, self.now):
                return
            series = self.places.received(event, worker)
            record = TaskRecord(series, worker, RECEIVED, now)
            if not self._records.insert(event.uuid, record):
                return
            if event.parent_id is not None and event.parent_id == event.uuid:
                self.replaced.begun(event)
        else:
            series, another = record.series, False
            if event.name != series.name or series.vague:
                another = self.replaced.named(record, event, worker)
            state = record.state
            if state != SENT or another or record.received is not None:
                if self.copies.part(record, event, worker):
                    self.received(event)
                    return
                if self._order.received_late(record, event, worker, now):
                    return
            elif event.parent_id == event.uuid and event.uuid not in self._stories:
                self.replaced.begun(event)  # the run before is only known to be sent
            series = record.series
            in_flight = series.in_flight
            in_flight[state] -= 1
            in_flight[RECEIVED] += 1
            record.state = RECEIVED
            record.worker = worker
            record.seen = now
        series.received += 1
        series.received_at = now
        record.received = event.timestamp
        if event.retries != record.retries:
            record.retries = event.retries
        if event.eta is not None:
            record.eta = task_waits.parse_eta(event.eta)

    def started(self, event: Event) -> None:  # noqa: C901 -- hot: one call for each event
        """Apply ``task-started``; observes how long the task waited."""
        now, worker = self.now, self._worker[event.hostname]
        worker.task_heard = now
        starts = worker.starts.get(event.pid)
        if starts is not None:
            starts.append(event.clock)
        uuid = event.uuid
        record = self._by_id.get(uuid)
        if record is None:
            if self.unmatched.aside(event, worker, self.now):
                return
            record = TaskRecord(self.places.orphan(event, worker), worker, RECEIVED, now)
            if not self._records.insert(uuid, record):
                return
        if self._stories and uuid in self._stories and self.replaced.started(record, event, worker):
            return
        series = record.series
        series.started += 1
        state = record.state
        if state != CLOSED:
            if state == STARTED and record.worker is not None:
                record.worker.running.pop(uuid, None)  # started again, elsewhere perhaps
            in_flight = series.in_flight
            in_flight[state] -= 1
            in_flight[STARTED] += 1
            record.state = STARTED
            record.seen = now
            if record.worker is not worker:
                record.worker = worker
            worker.running[uuid] = record
        elif record.started is not None and not record.polled:
            return
        if record.polled:
            record.polled = False
        record.started, sent = event.timestamp, record.sent
        self._waits.ended(record, series, event.timestamp)
        if self._announced and sent is not None:
            record.sent = self._announced.pop(uuid, None)

    def succeeded(self, event: Event) -> None:
        """Apply ``task-succeeded``; its ``runtime`` may be null and is then not observed."""
        now, worker = self.now, self._worker[event.hostname]
        worker.task_heard = now
        record = self._by_id.get(event.uuid)
        if record is None:
            if self.unmatched.aside(event, worker, self.now):
                return
            series = self.places.orphan(event, worker)
        else:
            series = record.series
            self._records.close(event.uuid, record, now)
        series.succeeded += 1
        series.last_succeeded = event.timestamp
        runtime, histogram = event.runtime, series.runtime_succeeded
        if runtime is not None and histogram is not None and 0.0 <= runtime < LONGEST:
            histogram.counts[bisect_left(histogram.bounds, runtime)] += 1
            histogram.sum += runtime

    def failed(self, event: Event) -> None:
        """Apply ``task-failed``; the run time is from its start to this event."""
        worker = self._worker[event.hostname]
        worker.task_heard = self.now
        exception, category = self.classifier.classify(event.exception, event.traceback)
        record = self._by_id.get(event.uuid)
        if record is None:
            if self.unmatched.aside(event, worker, self.now):
                return
            series = self.places.orphan_failure(event, exception, worker)
        else:
            series = record.series
            histogram = series.runtime_failed
            if record.state == STARTED and record.started is not None and histogram is not None:
                runtime = event.timestamp - record.started
                if -LONGEST < runtime < LONGEST:  # else one of them had no time
                    runtime = max(0.0, runtime)
                    histogram.counts[bisect_left(histogram.bounds, runtime)] += 1
                    histogram.sum += runtime
            self._records.close(event.uuid, record, self.now)
        series.failed[self.series.exception(series, exception), category] += 1
        series.last_failed = event.timestamp

    def forget(self, series: TaskSeries) -> None:
        """Forget a series that has made room for another."""
        self.places.forget(series)
