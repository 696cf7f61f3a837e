"""Events overtake each other: this tells late ones from those of the next attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.fleet import task_waits
from celery_sentinel.fleet.task_series import AWAITED, CLOSED, RECEIVED, SENT, STARTED

if TYPE_CHECKING:
    from celery_sentinel.events.event import Event
    from celery_sentinel.fleet import task_attribution, task_records, task_replacements
    from celery_sentinel.fleet.task_records import TaskRecord
    from celery_sentinel.fleet.task_series import TaskSeries
    from celery_sentinel.fleet.worker import Worker

TOLD_WITHIN = 3.0  # seconds; what a worker answers of a start is its guess from another clock
MOST_ANNOUNCED = 1000  # those of which nothing more is heard make room


class TaskOrder:
    """Applies what does not come in the order sent, received, started, ended.

    A task-sent is overtaken by its worker's events now and then, a task-retried often by the
    task-received of the next attempt, and with some pools one event of a worker by the next.

    ``announced`` has, by task id, when the next attempt was sent of one that has not started yet;
    ``unstarted`` the ids whose next attempt was received before the one before was heard to start.
    """

    __slots__ = ("_places", "_records", "_replacements", "_waits", "announced", "unstarted")

    def __init__(
        self,
        record_table: task_records.RecordTable,
        places_found: task_attribution.Places,
        observed: task_waits.Waits,
        replaced: task_replacements.Replacements,
    ) -> None:
        self._records = record_table
        self._places = places_found
        self._waits = observed
        self._replacements = replaced
        self.announced: dict[str, float] = {}
        self.unstarted: dict[str, None] = {}

    def sent(self, record: TaskRecord, series: TaskSeries, event: Event, now: float) -> None:
        """Apply a ``task-sent`` for a task already known.

        Either its worker's events overtook it, or it announces the next attempt of a retry.
        """
        if self._replacements.announced(record, series, event):
            return
        state = record.state
        if record.polled and record.received is None:  # which attempt runs nobody has told
            record.retries = max(record.retries, event.retries)
        if event.retries > record.retries:
            if state == RECEIVED and record.sent is not None:
                self._announce(event)
                return
            record.sent = event.timestamp
            if state == AWAITED:
                self._places.correct(record, event, series)
                record.eta = task_waits.parse_eta(event.eta)
                self._records.leave(event.uuid, record, SENT, now)
            return  # where an attempt is under way, the eta comes again with its task-received
        if event.retries < record.retries:
            return
        self._places.correct(record, event, series)
        if state == RECEIVED or record.polled or (state == CLOSED and record.started is None):
            record.sent = event.timestamp  # for its task-started, which is still to come
        elif record.started is not None and record.sent is None:
            histogram = record.series.queue_wait
            if histogram is not None:
                eta = task_waits.parse_eta(event.eta)
                self._waits.observe(histogram, record.started, event.timestamp, eta)

    def _announce(self, event: Event) -> None:
        """Keep the time of a ``task-sent`` until the attempt before it has started."""
        if len(self.announced) >= MOST_ANNOUNCED:
            del self.announced[next(iter(self.announced))]
        self.announced[event.uuid] = event.timestamp

    def _await_start(self, uuid: str) -> None:
        """Note that the next start of a task is that of an attempt that has ended."""
        if len(self.unstarted) >= MOST_ANNOUNCED:
            del self.unstarted[next(iter(self.unstarted))]
        self.unstarted[uuid] = None

    def ended_before(self, record: TaskRecord, event: Event, now: float) -> None:
        """Apply the ``task-retried`` of an attempt before the one that was received last.

        The start that was heard since may have been its own; then that of the next is to come.
        """
        record.unclosed -= 1
        if self.unstarted.pop(event.uuid, 0) is None and record.state == STARTED:
            record.started = None
            self._records.leave(event.uuid, record, RECEIVED, now)

    def received_late(self, record: TaskRecord, event: Event, worker: Worker, now: float) -> bool:
        """Tell whether a ``task-received`` of a known task begins nothing, and count it if so."""
        series = self._late_receipt(record, event, worker, now)
        if series is None:
            return False
        series.received += 1
        series.received_at = now
        return True

    def _late_receipt(
        self, record: TaskRecord, event: Event, worker: Worker, now: float
    ) -> TaskSeries | None:
        """Return where the ``task-received`` of a task already known counts, if it came late.

        Its own task-started, or what comes of the next attempt or run, has overtaken it then.
        None if it begins an attempt, or the run of another task that has taken the id over.
        """
        if self._replacements.another(record, event):
            return self._replacements.received(record, event, worker, now)
        if record.received is None:
            if record.state in {STARTED, CLOSED} and self._is_belated(record, event, worker):
                return record.series
        elif event.retries < record.retries and event.timestamp < record.received:
            record.unclosed += 1
            return record.series
        if record.received is not None and event.retries <= record.retries:
            record.series.redelivered += 1
        elif record.state == STARTED:
            record.unclosed += 1
        elif record.state == RECEIVED and record.received is not None:
            record.unclosed += 1
            self._await_start(event.uuid)
        if record.state == STARTED and record.worker is not None:
            record.worker.running.pop(event.uuid, None)
        record.started = None
        record.polled = False
        record.sent = self.announced.pop(event.uuid, record.sent)
        return None

    def _is_belated(self, record: TaskRecord, event: Event, worker: Worker) -> bool:
        """Tell whether an attempt that runs, or has ended, is received only now; note when it was.

        Both times are of one worker's clock.
        """
        started = record.started
        if worker is not record.worker and record.worker is not None:
            return False
        if record.polled:
            if started is not None and event.timestamp > started + TOLD_WITHIN:
                return False
        elif event.retries > record.retries if started is None else event.timestamp > started:
            return False
        record.received = event.timestamp
        record.retries = event.retries
        eta = task_waits.parse_eta(event.eta)
        histogram = record.series.prefetch_wait
        if record.polled:
            record.eta = eta  # for its task-started, by which both waits are observed
        elif started is not None and histogram is not None:
            self._waits.observe(histogram, started, event.timestamp, eta)
        return True
