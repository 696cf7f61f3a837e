"""Task events that find no record: they are held for a moment, or are those of a copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.fleet import held_events, labels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from celery_sentinel.events.event import Event
    from celery_sentinel.fleet import task_attribution, task_copies
    from celery_sentinel.fleet.task_series import TaskSeries
    from celery_sentinel.fleet.worker import Worker

# In place of the process id of an event that comes a second time: its start, if it is one, is in
# the account of its process already.
NOBODY = -(2**63)


class UnmatchedEvents:
    """Decides what becomes of events without a record; ``handlers`` apply them by type.

    ``held`` are those that wait for what names their task. ``on_failure`` is told of one that
    could not be applied: a defect of ours.
    """

    def __init__(
        self,
        of_copies: task_copies.Copies,
        found: task_attribution.Places,
        workers: Mapping[str, Worker],
        handlers: Mapping[str, Callable[[Event], None]],
        *,
        names: int,
        on_failure: Callable[[Exception], None],
    ) -> None:
        self.held = held_events.Held(names)
        self._copies = of_copies
        self._places = found
        self._workers = workers
        self._handlers = handlers
        self._on_failure = on_failure
        self._replaying = False

    def aside(self, event: Event, worker: Worker, now: float) -> bool:
        """Tell whether an event has been dealt with: applied to a copy's record, or held."""
        event.pid = NOBODY
        key = self._copies.key(event, worker, now) if self._copies.known else None
        if key is not None:
            event.uuid = key
        elif self._replaying:
            return False
        elif not self._is_certain(event, worker) and self.held.take(event, now):
            return True
        elif event.uuid in self.held.by_id:
            self.release(event.uuid)
        else:
            return False
        self._handlers[event.type](event)
        return True

    def _is_certain(self, event: Event, worker: Worker) -> bool:
        if worker.hostname == labels.OTHER:  # one of those over their limit
            return True
        return event.uuid not in self.held.by_id and self._places.is_certain(event, worker)

    def sent(self, event: Event, series: TaskSeries) -> bool:
        """Tell whether a ``task-sent`` of a task without a record has been applied here.

        What it names is applied after it; what came before it in the life of the task, before.
        """
        uuid = event.uuid
        shared = self._copies.shared.get(uuid)
        if shared is not None:
            self._copies.shared[uuid] = shared._replace(sent=event.timestamp)
            series.sent += 1
            series.last_sent = event.timestamp
            return True
        waiting = self.held.by_id.get(uuid)
        if waiting is None:
            return False
        first = waiting[0]
        self.held.worth(event.name)
        self.held.worth(first.name)
        later = event.retries > first.retries or (
            event.parent_id == uuid and first.parent_id != uuid and first.name is not None
        )
        found = self.held.release(uuid)
        if later:
            self._play(found)
        self._handlers[event.type](event)
        if not later:
            self._play(found)
        return True

    def release(self, uuid: str) -> None:
        """Apply what is held of a task, without knowing more of it."""
        if uuid in self.held.by_id:
            self._play(self.held.release(uuid))

    def release_due(self, now: float) -> None:
        """Apply what has been held for its moment."""
        for uuid in self.held.due(now):
            self.release(uuid)

    def release_of(self, worker: Worker) -> None:
        """Apply what is held of the tasks of a worker that is about to be judged."""
        for uuid, found in list(self.held.by_id.items()):
            if any(self._workers[event.hostname] is worker for event in found):
                self.release(uuid)

    def resume(self, found: Iterable[Event]) -> None:
        """Hold on to what a process before us had held."""
        for event in found:
            if event.type in self._handlers:
                self._handlers[event.type](event)

    def _play(self, found: Iterable[Event]) -> None:
        before, self._replaying = self._replaying, True
        for event in found:
            worker = self._workers[event.hostname]
            heard = worker.task_heard
            try:
                self._handlers[event.type](event)
            except Exception as error:  # noqa: BLE001 -- one event must not cost the others
                self._on_failure(error)
            worker.task_heard = heard
        self._replaying = before
