"""Applies the task events that few tasks have: retried, revoked, rejected and cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.fleet.task_series import AWAITED, CLOSED, SENT, TaskSeries

if TYPE_CHECKING:
    from collections.abc import Callable

    from celery_sentinel.events.event import Event
    from celery_sentinel.fleet import task_order, task_records, task_tracker
    from celery_sentinel.fleet.task_records import TaskRecord


class Endings:
    """The part of the tracker off its hot path."""

    def __init__(
        self,
        tracker: task_tracker.Tracker,
        record_table: task_records.RecordTable,
        order: task_order.TaskOrder,
    ) -> None:
        self._tracker = tracker
        self._records = record_table
        self._places = tracker.places
        self._replaced = tracker.replaced
        self._order = order
        self._worker = tracker.workers

    def handlers(self) -> dict[str, Callable[[Event], None]]:
        """Return the method that applies each type of event."""
        return {
            "task-retried": self.retried,
            "task-revoked": self.revoked,
            "task-rejected": self.rejected,
            "task-cancelled": self.cancelled,
        }

    def retried(self, event: Event) -> None:
        """Apply ``task-retried``, which may come after the next attempt was received, or ended."""
        found = self._ending(event)
        if found is None:
            return
        record, series = found
        earlier = self._replaced.retried(event) if self._replaced.stories else None
        series = earlier or series
        exception, _ = self._tracker.classifier.classify(event.exception, event.traceback)
        series.retried[self._tracker.series.exception(series, exception)] += 1
        if record is None or earlier is not None:
            return
        if record.unclosed:
            self._order.ended_before(record, event, self._tracker.now)
        elif record.state != CLOSED:
            state = AWAITED if record.sent is None else SENT
            self._records.leave(event.uuid, record, state, self._tracker.now)

    def revoked(self, event: Event) -> None:
        """Apply ``task-revoked``; a task revoked before it ran was perhaps never received."""
        found = self._ending(event)
        if found is None:
            return
        record, series = found
        reason = "expired" if event.expired else "revoked"
        if event.terminated:
            reason = "terminated"
        series.revoked[reason] += 1
        if record is not None:
            self._records.close(event.uuid, record, self._tracker.now)

    def rejected(self, event: Event) -> None:
        """Apply ``task-rejected``; a requeued task is awaited again."""
        found = self._ending(event)
        if found is None:
            return
        record, series = found
        series.rejected["true" if event.requeue else "false"] += 1
        if record is None or record.state == CLOSED:
            return
        if event.requeue:
            self._records.leave(event.uuid, record, AWAITED, self._tracker.now)
        else:
            self._records.close(event.uuid, record, self._tracker.now)

    def cancelled(self, event: Event) -> None:
        """Apply ``task-cancelled``: its worker lost the broker, or shut down, in its midst."""
        found = self._ending(event)
        if found is None:
            return
        record, series = found
        series.cancelled += 1
        if record is not None:
            self._records.close(event.uuid, record, self._tracker.now)

    def _ending(self, event: Event) -> tuple[TaskRecord | None, TaskSeries] | None:
        worker = self._worker[event.hostname]
        worker.task_heard = self._tracker.now
        record = self._records.by_id.get(event.uuid)
        if record is None:
            if self._tracker.unmatched.aside(event, worker, self._tracker.now):
                return None
            return None, self._places.orphan(event, worker)
        return record, record.series
