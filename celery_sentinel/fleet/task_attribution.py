"""Few events say what task they are of: this finds the series in which each one counts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from celery_sentinel.fleet import labels, task_exceptions
from celery_sentinel.fleet.task_series import CLOSED

if TYPE_CHECKING:
    from celery_sentinel import poll_results
    from celery_sentinel.events.event import Event
    from celery_sentinel.fleet import queues
    from celery_sentinel.fleet.task_records import TaskRecord
    from celery_sentinel.fleet.task_series import SeriesTable, TaskSeries
    from celery_sentinel.fleet.worker import Worker


MOST_ROUTES = 10_000  # ways through exchanges that are remembered


class Places:
    """Finds the series of an event or a record, by the best evidence there is.

    ``of_sent`` remembers the series of (name, queue) as ``task-sent`` gives them, where both
    are plain; the event path reads it directly. ``orphans`` counts, by type, the events of
    tasks of which nothing had been heard before.
    """

    def __init__(self, series: SeriesTable, queue_table: queues.QueueTable) -> None:
        self.of_sent: dict[tuple[str | None, str | None], TaskSeries] = {}
        self.orphans: Counter[str] = Counter()
        self._routed: dict[tuple[str | None, ...], tuple[int, TaskSeries]] = {}
        self.fanout = queue_table.fanout
        self._series = series
        self._queues = queue_table

    def forget(self, series: TaskSeries) -> None:
        """Forget a series that has made room for another."""
        key = (series.name, series.queue_name)
        if self.of_sent.get(key) is series:
            del self.of_sent[key]
        self._routed.clear()

    def sent(self, event: Event) -> TaskSeries:
        """Return the series a ``task-sent`` names; its hostname is the producer's and no label."""
        route = (event.name, event.queue, event.exchange, event.routing_key)
        version, found = self._routed.get(route, (-1, None))
        if found is not None and version == self._queues.bindings.version:
            return found
        name, queue = event.name or labels.UNKNOWN, self._queues.of_sent(event)
        series = self._series.find(name, queue, labels.UNKNOWN)
        if queue in self._queues.fanout:
            series.vague = True  # so that each worker's copy is told apart
        if not event.exchange and (series.name, series.queue_name) == (event.name, event.queue):
            self.of_sent[event.name, event.queue] = series
        elif event.exchange and len(event.routing_key or "") <= labels.MAX_LENGTH:
            if len(self._routed) >= MOST_ROUTES:
                self._routed.clear()
            self._routed[route] = (self._queues.bindings.version, series)
        return series

    def received(self, event: Event, worker: Worker) -> TaskSeries:
        """Return the series of a task first heard of when a worker received it."""
        name = event.name or labels.UNKNOWN
        return self._series.find(name, self._queues.infer(name, worker), worker.hostname)

    def is_certain(self, event: Event, worker: Worker) -> bool:
        """Tell whether no later event can say more of where a task first heard of counts."""
        return event.type == "task-received" and _queue_of(worker) != labels.UNKNOWN

    def orphan(self, event: Event, worker: Worker) -> TaskSeries:
        """Return the series for an event of a task of which nothing else was heard."""
        self.orphans[event.type] += 1
        return self._series.find(labels.UNKNOWN, _queue_of(worker), worker.hostname)

    def orphan_failure(self, event: Event, exception: str, worker: Worker) -> TaskSeries:
        """Return the series of a failed orphan; one that no worker knows fails by its name."""
        if exception == "NotRegistered" and event.exception is not None:
            name = task_exceptions.first_argument(event.exception)
            if name is not None:
                return self._series.find(name, self._queues.infer(name, worker), worker.hostname)
        return self.orphan(event, worker)

    def active(self, task: poll_results.ActiveTask, worker: Worker) -> TaskSeries:
        """Return the series of a task that its worker says it runs."""
        name = task.name or labels.UNKNOWN
        queue = self.of_active(task, worker) or self._queues.infer(name, worker)
        return self._series.find(name, queue, worker.hostname)

    def told(self, record: TaskRecord, task: poll_results.ActiveTask, worker: Worker) -> None:
        """Put a record whose queue is unknown where its worker says it came from."""
        queue = self.of_active(task, worker)
        if queue is not None:
            reseat(record, self._series.find(record.series.name, queue, worker.hostname))

    def of_active(self, task: poll_results.ActiveTask, worker: Worker) -> str | None:
        """Return the queue that an answer tells by exchange and routing key; None if it does not.

        It is one of those that the worker consumes, where these are known.
        """
        queue = task.queue
        if queue is not None:
            queue = self._queues.kept(queue)
        elif task.exchange:
            queue = self._queues.routed(task.exchange, task.routing_key)
        consumed = worker.queues
        return queue if consumed is None or queue in consumed else None

    def move(self, record: TaskRecord, event: Event, worker: Worker) -> TaskSeries:
        """Put a record where its ``task-received`` says it belongs, and return that series."""
        old = record.series
        name = event.name or old.name
        queue = old.queue_name
        if queue == labels.UNKNOWN:
            queue = self._queues.infer(name, worker)
        return reseat(record, self._series.find(name, queue, worker.hostname))

    def correct(self, record: TaskRecord, event: Event, sent: TaskSeries) -> None:
        """Put a record where a belated ``task-sent``, the best evidence, says it belongs."""
        old = record.series
        queue = old.queue_name if sent.queue_name == labels.UNKNOWN else sent.queue_name
        if queue != old.queue_name or old.name == labels.UNKNOWN:
            hostname = record.worker.hostname if record.worker else labels.UNKNOWN
            reseat(record, self._series.find(event.name or old.name, queue, hostname))


def _queue_of(worker: Worker) -> str:
    """Return the queue of a worker that consumes exactly one."""
    consumed = worker.queues
    return consumed[0] if consumed is not None and len(consumed) == 1 else labels.UNKNOWN


def reseat(record: TaskRecord, series: TaskSeries) -> TaskSeries:
    """Give a record to another series, with its place in flight; return that series."""
    if series is not record.series:
        if record.state != CLOSED:
            record.series.in_flight[record.state] -= 1
            series.in_flight[record.state] += 1
        record.series = series
    return series
