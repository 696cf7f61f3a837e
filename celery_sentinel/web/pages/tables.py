"""The tables of the landing page: which columns they have and what they say when empty."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Generic, TypeVar

from celery_sentinel.web.pages import badges, html as html_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from celery_sentinel.status import schema as status_schema

_Row = TypeVar("_Row")

# A fleet of 2,000 workers has a page all the same; the JSON has every row.
ROWS = 200


@dataclasses.dataclass(frozen=True, slots=True)
class _Column(Generic[_Row]):
    """A heading and how its cell is worded; ``kind`` is CSS classes: name, label, number, main.

    A column with ``tells`` is left out where that is true of no row.
    """

    heading: str
    cell: Callable[[_Row], html_text.Html]
    kind: str = ""
    tells: Callable[[_Row], bool] | None = None


def workers(rows: Sequence[status_schema.WorkerStatus], *, broker_up: bool) -> html_text.Html:
    """Return the table of workers, the lost and the wedged first."""
    worst_first = sorted(rows, key=lambda worker: badges.of_worker(worker).severity)
    empty = _NO_WORKERS if broker_up else _NO_WORKERS_BROKER_DOWN
    return _table("Workers", worst_first, _WORKERS, empty, badges.of_worker)


def queues(rows: Sequence[status_schema.QueueStatus]) -> html_text.Html:
    """Return the table of queues, those that nobody works on first, then the fullest."""
    return _table("Queues", sorted(rows, key=_queue_order), _QUEUES, _NO_QUEUES, badges.of_queue)


def busiest(rows: Sequence[status_schema.TaskStatus]) -> html_text.Html:
    """Return the table of the tasks that run most."""
    return _table("Busiest tasks", rows, _BUSIEST, _NO_TASKS, badges.of_task)


def failing(rows: Sequence[status_schema.TaskStatus]) -> html_text.Html:
    """Return the table of the tasks that failed in the last hour."""
    return _table("Tasks that failed in the last hour", rows, _FAILING, _NO_FAILURES)


def _queue_order(queue: status_schema.QueueStatus) -> tuple[int, int]:
    verdict = badges.of_queue(queue)
    length = -1 if queue.length is None else queue.length
    return badges.LEAST_SEVERE if verdict is None else verdict.severity, -length


def _table(
    heading: str,
    rows: Sequence[_Row],
    columns: Sequence[_Column[_Row]],
    empty: str,
    verdict: Callable[[_Row], badges.Verdict | None] | None = None,
) -> html_text.Html:
    """Return a section with a table that scrolls in its own box, or what to do about none.

    The row of an alarming ``verdict`` is marked.
    """
    if not rows:
        return html_text.Html(f'<section><h2>{heading}</h2><p class="empty">{empty}</p></section>')
    told = [c for c in columns if c.tells is None or any(map(c.tells, rows))]
    head = "".join(f'<th scope="col" class="{c.kind}">{c.heading}</th>' for c in told)
    body = "".join(_row(row, told, verdict) for row in rows[:ROWS])
    rest = len(rows) - ROWS
    more = f'<p class="empty">{rest:,} more are in the status as JSON.</p>' if rest > 0 else ""
    return html_text.Html(
        f'<section><h2>{heading} <span class="count">{len(rows):,}</span></h2>'
        f'<div class="box" role="region" aria-label="{heading}" tabindex="0">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        f"{more}</section>"
    )


def _row(
    row: _Row,
    columns: Sequence[_Column[_Row]],
    verdict: Callable[[_Row], badges.Verdict | None] | None,
) -> str:
    cells = "".join(f'<td class="{column.kind}">{column.cell(row)}</td>' for column in columns)
    judged = verdict(row) if verdict else None
    mark = ' class="alarm"' if judged and judged.alarming else ""
    return f"<tr{mark}>{cells}</tr>"


def _state(verdict: badges.Verdict | None) -> html_text.Html:
    if verdict is None:
        return html_text.UNKNOWN
    pill = html_text.pill(verdict.label, verdict.tone)
    reason = f'<span class="reason">{verdict.reason}</span>' if verdict.reason else ""
    return html_text.Html(f"{pill}{reason}")


def _queue_name(queue: status_schema.QueueStatus) -> html_text.Html:
    """Return the name; a role other than that of most queues stands beside it."""
    name = html_text.name(queue.queue_name)
    if queue.role == "work":
        return name
    role = html_text.text(queue.role.replace("_", " "))
    return html_text.Html(f'{name} <span class="dim">{role}</span>')


def _oldest(queue: status_schema.QueueStatus) -> html_text.Html:
    """Return how long the oldest message has waited; what we only observed is a bound."""
    age = html_text.duration(queue.oldest_message_seconds)
    if queue.oldest_message_seconds is None or queue.oldest_source != "observed":
        return age
    return html_text.Html(f'<span class="dim">at least</span> {age}')


def _runs(worker: status_schema.WorkerStatus) -> html_text.Html:
    """Return the pool and the version of Celery, as far as they are known."""
    known = [
        html_text.short_name(part) for part in (worker.pool, worker.version) if part is not None
    ]
    return html_text.Html(" ".join(known)) if known else html_text.UNKNOWN


def _optional(value: str | None) -> html_text.Html:
    return html_text.UNKNOWN if value is None else html_text.name(value)


def _failure_ratio(task: status_schema.TaskStatus) -> html_text.Html:
    ended = task.failed_last_hour + task.succeeded_last_hour
    return html_text.percent(task.failed_last_hour, ended)


_WORKERS: tuple[_Column[status_schema.WorkerStatus], ...] = (
    _Column("State", lambda w: _state(badges.of_worker(w)), "state"),
    _Column("Worker", lambda w: html_text.name(w.hostname), "name"),
    _Column("Slots busy", lambda w: html_text.share(w.tasks_active, w.concurrency), "number main"),
    _Column(
        "Pool now",
        lambda w: html_text.number(w.pool_size),
        "number",
        tells=lambda w: w.pool_size not in {None, w.concurrency},
    ),
    _Column(
        "Reserved",
        lambda w: html_text.number(w.tasks_reserved),
        "number",
        tells=lambda w: w.tasks_reserved is not None,
    ),
    _Column(
        "Scheduled",
        lambda w: html_text.number(w.tasks_scheduled),
        "number",
        tells=lambda w: w.tasks_scheduled is not None,
    ),
    _Column("Processed", lambda w: html_text.number(w.tasks_processed), "number"),
    _Column("Last heard", lambda w: html_text.ago(w.last_heard_seconds), "number"),
    _Column(
        "Consumes",
        lambda w: html_text.names(w.queues),
        "label",
        tells=lambda w: w.queues is not None,
    ),
    _Column("Pool, Celery", _runs),
)
_QUEUES: tuple[_Column[status_schema.QueueStatus], ...] = (
    _Column("State", lambda q: _state(badges.of_queue(q)), "state"),
    _Column("Queue", _queue_name, "name"),
    _Column("Waiting", lambda q: html_text.number(q.length), "number main"),
    _Column(
        "Oldest message",
        _oldest,
        "number",
        tells=lambda q: q.oldest_message_seconds is not None,
    ),
    _Column(
        "Unacked",
        lambda q: html_text.number(q.unacked),
        "number",
        tells=lambda q: q.unacked is not None,
    ),
    _Column(
        "Workers",
        lambda q: html_text.number(q.workers),
        "number",
        tells=lambda q: q.workers is not None,
    ),
    _Column(
        "Consumers",
        lambda q: html_text.number(q.consumers),
        "number",
        tells=lambda q: q.consumers not in {None, q.workers},
    ),
    _Column(
        "Slots busy",
        lambda q: html_text.share(q.slots_busy, q.slots),
        "number",
        tells=lambda q: q.slots is not None,
    ),
    _Column("Reserved", lambda q: html_text.number(q.received), "number"),
    _Column("Running", lambda q: html_text.number(q.started), "number"),
)
_TASK: _Column[status_schema.TaskStatus] = _Column("Task", lambda t: html_text.name(t.name), "name")
_QUEUE: _Column[status_schema.TaskStatus] = _Column(
    "Queue", lambda t: html_text.name(t.queue_name), "label"
)
_SUCCEEDED: _Column[status_schema.TaskStatus] = _Column(
    "Succeeded", lambda t: html_text.number(t.succeeded), "number"
)
_FAILED: _Column[status_schema.TaskStatus] = _Column(
    "Failed", lambda t: html_text.number(t.failed), "number"
)
_RETRIED: _Column[status_schema.TaskStatus] = _Column(
    "Retried", lambda t: html_text.number(t.retried), "number"
)
_REJECTED: _Column[status_schema.TaskStatus] = _Column(
    "Rejected", lambda t: html_text.number(t.rejected), "number", tells=lambda t: bool(t.rejected)
)
_BUSIEST: tuple[_Column[status_schema.TaskStatus], ...] = (
    _TASK,
    _QUEUE,
    _Column("Mean", lambda t: html_text.duration(t.mean_runtime_seconds), "number"),
    _Column("Longest now", lambda t: html_text.duration(t.oldest_started_seconds), "number"),
    _Column("State", lambda t: _state(badges.of_task(t)), "state", tells=lambda t: bool(t.missed)),
    _Column("Sent", lambda t: html_text.number(t.sent), "number"),
    _Column("Received", lambda t: html_text.number(t.received), "number"),
    _Column("Started", lambda t: html_text.number(t.started), "number"),
    _SUCCEEDED,
    _FAILED,
    _RETRIED,
    _Column("Revoked", lambda t: html_text.number(t.revoked), "number"),
    _REJECTED,
)
_FAILING: tuple[_Column[status_schema.TaskStatus], ...] = (
    _TASK,
    _QUEUE,
    _Column("Failure ratio", _failure_ratio, "number"),
    _Column("Failed", lambda t: html_text.number(t.failed_last_hour), "number"),
    _Column("Succeeded", lambda t: html_text.number(t.succeeded_last_hour), "number"),
    _Column("Failed since the start", lambda t: html_text.number(t.failed), "number"),
    _REJECTED,
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
    "No queue is known yet. Queues are learnt from the answers of workers, from the broker, and "
    "from producers with <code>task_send_sent_event = True</code>; <code>queues.watch</code> in "
    "the configuration names them in advance."
)
_NO_TASKS = (
    "No task has been seen yet. Workers send task events when started with <code>-E</code> or "
    "with <code>worker_send_task_events = True</code>."
)
_NO_FAILURES = "No task has failed in the last hour, or none was heard to."
