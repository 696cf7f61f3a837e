"""What tells the runs of one id apart: signs of a replacement, and of a run that is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.fleet import labels
from celery_sentinel.fleet.worker import State

if TYPE_CHECKING:
    from celery_sentinel.events.event import Event
    from celery_sentinel.fleet.task_records import TaskRecord
    from celery_sentinel.fleet.worker import Worker

OVERTAKEN_WITHIN = 10.0  # seconds, in which what one worker says may come after another's


def ran_there(run: TaskRecord, record: TaskRecord, worker: Worker, at: float) -> bool:
    """Tell whether an earlier run is what starts on a worker ``at`` epoch seconds.

    A worker says so when its pool tells, perhaps after it has received what the run sent, but in
    the order of the runs.
    """
    if run.worker is not None:
        return run.worker is worker
    return record.worker is not worker or (record.received is not None and at < record.received)


def replaces(event: Event) -> bool:
    """Tell whether an event is of a task that has replaced another under its id."""
    return event.parent_id == event.uuid and not event.retries


def is_over(record: TaskRecord, event: Event) -> bool:
    """Tell whether the run before a receipt of the same name had begun, so that it is another."""
    if record.received is None or is_lost(record):
        return False
    if record.started is not None:
        return event.timestamp > record.started
    # Its start may not be told yet, by a worker that another overtakes.
    elsewhere = record.worker is not None and record.worker.hostname != event.hostname
    return elsewhere and event.timestamp < record.received + OVERTAKEN_WITHIN


def differ(name: str, other: str) -> bool:
    """Tell whether two names are known to be different ones."""
    return name != other and not {name, other} & {labels.UNKNOWN, labels.OTHER}


def is_lost(record: TaskRecord) -> bool:
    """Tell whether the process that ran it is known to have ended, so that it may come again."""
    worker = record.worker
    if worker is None:
        return False
    since = worker.started_at
    ended = since is not None and record.started is not None and record.started < since
    return ended or worker.state in {State.LOST, State.OFFLINE}
