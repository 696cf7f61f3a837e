"""The tables of the landing page: which columns they have and what they say when empty."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Generic, TypeVar

from celery_sentinel.web import wording

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from celery_sentinel import status as status_document

_Row = TypeVar("_Row")

# A fleet of 2,000 workers has a page all the same; the JSON has every row.
ROWS = 200


@dataclasses.dataclass(frozen=True, slots=True)
class _Column(Generic[_Row]):
    """A heading and how its cell is worded; ``kind`` is a CSS class: name, label or number."""

    heading: str
    cell: Callable[[_Row], wording.Html]
    kind: str = ""


def workers(rows: Sequence[status_document.WorkerStatus], *, broker_up: bool) -> wording.Html:
    """Return the table of workers, lost ones first."""
    lost_first = sorted(rows, key=lambda worker: worker.state == "up")
    empty = _NO_WORKERS if broker_up else _NO_WORKERS_BROKER_DOWN
    return _table("Workers", lost_first, _WORKERS, empty)


def queues(rows: Sequence[status_document.QueueStatus]) -> wording.Html:
    """Return the table of queues."""
    return _table("Queues", rows, _QUEUES, _NO_QUEUES)


def busiest(rows: Sequence[status_document.TaskStatus]) -> wording.Html:
    """Return the table of the tasks that run most."""
    return _table("Busiest tasks", rows, _BUSIEST, _NO_TASKS)


def failing(rows: Sequence[status_document.TaskStatus]) -> wording.Html:
    """Return the table of the tasks that failed."""
    return _table("Failing tasks", rows, _FAILING, _NO_FAILURES)


def _table(
    heading: str, rows: Sequence[_Row], columns: Sequence[_Column[_Row]], empty: str
) -> wording.Html:
    """Return a section with a table that scrolls in its own box, or what to do about none."""
    if not rows:
        return wording.Html(f'<section><h2>{heading}</h2><p class="empty">{empty}</p></section>')
    head = "".join(f'<th scope="col" class="{c.kind}">{c.heading}</th>' for c in columns)
    body = "".join(_row(row, columns) for row in rows[:ROWS])
    rest = len(rows) - ROWS
    more = f'<p class="empty">{rest:,} more are in the status as JSON.</p>' if rest > 0 else ""
    return wording.Html(
        f'<section><h2>{heading} <span class="count">{len(rows):,}</span></h2>'
        f'<div class="box" role="region" aria-label="{heading}" tabindex="0">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        f"{more}</section>"
    )


def _row(row: _Row, columns: Sequence[_Column[_Row]]) -> str:
    cells = "".join(f'<td class="{column.kind}">{column.cell(row)}</td>' for column in columns)
    return f"<tr>{cells}</tr>"


def _state(worker: status_document.WorkerStatus) -> wording.Html:
    return wording.pill(worker.state, "good" if worker.state == "up" else "bad")


def _events_of(worker: status_document.WorkerStatus) -> wording.Html:
    if worker.events_enabled is None:
        return wording.UNKNOWN
    return wording.pill("on", "calm") if worker.events_enabled else wording.pill("off", "bad")


def _optional(value: str | None) -> wording.Html:
    return wording.UNKNOWN if value is None else wording.name(value)


def _failure_ratio(task: status_document.TaskStatus) -> wording.Html:
    return wording.percent(task.failed, task.failed + task.succeeded)


_WORKERS: tuple[_Column[status_document.WorkerStatus], ...] = (
    _Column("State", _state),
    _Column("Worker", lambda w: wording.name(w.hostname), "name"),
    _Column("Last heard", lambda w: wording.ago(w.last_heard_seconds), "number"),
    _Column("Active", lambda w: wording.number(w.tasks_active), "number"),
    _Column("Processed", lambda w: wording.number(w.tasks_processed), "number"),
    _Column("Load 1, 5, 15 min", lambda w: wording.load(w.load_average), "number"),
    _Column("Task events", _events_of),
    _Column("Celery", lambda w: _optional(w.version), "label"),
)
_QUEUES: tuple[_Column[status_document.QueueStatus], ...] = (
    _Column("Queue", lambda q: wording.name(q.queue_name), "name"),
    _Column("Role", lambda q: wording.text(q.role)),
    _Column("Waiting", lambda q: wording.number(q.sent), "number"),
    _Column("Reserved", lambda q: wording.number(q.received), "number"),
    _Column("Running", lambda q: wording.number(q.started), "number"),
    _Column("Known from", lambda q: wording.text(", ".join(q.sources)), "label"),
)
_TASK: _Column[status_document.TaskStatus] = _Column("Task", lambda t: wording.name(t.name), "name")
_QUEUE: _Column[status_document.TaskStatus] = _Column(
    "Queue", lambda t: wording.name(t.queue_name), "label"
)
_SUCCEEDED: _Column[status_document.TaskStatus] = _Column(
    "Succeeded", lambda t: wording.number(t.succeeded), "number"
)
_FAILED: _Column[status_document.TaskStatus] = _Column(
    "Failed", lambda t: wording.number(t.failed), "number"
)
_RETRIED: _Column[status_document.TaskStatus] = _Column(
    "Retried", lambda t: wording.number(t.retried), "number"
)
_BUSIEST: tuple[_Column[status_document.TaskStatus], ...] = (
    _TASK,
    _QUEUE,
    _Column("Sent", lambda t: wording.number(t.sent), "number"),
    _Column("Received", lambda t: wording.number(t.received), "number"),
    _Column("Started", lambda t: wording.number(t.started), "number"),
    _SUCCEEDED,
    _FAILED,
    _RETRIED,
    _Column("Revoked", lambda t: wording.number(t.revoked), "number"),
    _Column("Mean runtime", lambda t: wording.duration(t.mean_runtime_seconds), "number"),
    _Column("Longest running", lambda t: wording.duration(t.oldest_started_seconds), "number"),
)
_FAILING: tuple[_Column[status_document.TaskStatus], ...] = (
    _TASK,
    _QUEUE,
    _Column("Failure ratio", _failure_ratio, "number"),
    _FAILED,
    _SUCCEEDED,
    _RETRIED,
    _Column("Most frequent exception", lambda t: _optional(t.top_exception), "name"),
)

_NO_WORKERS = (
    "No worker has been heard yet. Workers send heartbeats every 2 s unless started with "
    "<code>--without-heartbeat</code>; check that they use this broker and this database or "
    "virtual host."
)
_NO_WORKERS_BROKER_DOWN = (
    "No worker can be heard while the broker cannot be reached: see the error above."
)
_NO_QUEUES = (
    "No queue is known yet. Queues are learnt from events: workers must send task events "
    "(<code>-E</code>), and <code>task_send_sent_event = True</code> in the producers names the "
    "queue of each task. <code>queues.watch</code> in the configuration names queues in advance."
)
_NO_TASKS = (
    "No task has been seen yet. Workers send task events when started with <code>-E</code> or "
    "with <code>worker_send_task_events = True</code>."
)
_NO_FAILURES = "No task has failed since this daemon started."
