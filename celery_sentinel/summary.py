"""Builds the status document, which the landing page and the API show, from the fleet."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from celery_sentinel import __version__, status
from celery_sentinel.collectors import portions
from celery_sentinel.collectors import tasks as collected
from celery_sentinel.fleet import labels
from celery_sentinel.fleet.series import RECEIVED, SENT, STARTED
from celery_sentinel.fleet.worker import State, Worker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from celery_sentinel.fleet import model, series, stream

MOST_TASKS = 15
MOST_WORKERS = 200
MOST_QUEUES = 200


def build(
    fleet: model.Fleet, connection: stream.Stream, *, started: float, ready: bool
) -> status.Status:
    """Return the state of everything at this moment; ``started`` is epoch seconds."""
    now, wall = time.monotonic(), time.time()
    with fleet.lock.reading():
        known = [worker for worker in fleet.workers if worker.state is not State.OFFLINE]
        known.sort(key=lambda worker: (worker.state is not State.LOST, worker.hostname))
        all_workers = tuple(_worker(worker, now) for worker in known[:MOST_WORKERS])
        all_queues = {q.name: (q.role, tuple(sorted(q.sources))) for q in fleet.queues}
        total = sum(fleet.event_counts.values())
        tracked = len(fleet.records.by_id)
        last_event_at = fleet.last_event_at
        malformed, unknown_types = fleet.records.malformed, fleet.unknown_types
        rejected = dict(connection.rejected)
    rejected["malformed"] = rejected.get("malformed", 0) + malformed
    rejected["unknown_type"] = rejected.get("unknown_type", 0) + unknown_types
    oldest = collected.oldest_started(fleet)
    all_series = list(portions.of(fleet, fleet.series))
    tasks = [_task(one, oldest, wall) for one in portions.of(fleet, all_series)]
    return status.Status(
        version=__version__,
        started=started,
        uptime_seconds=wall - started,
        ready=ready,
        broker=_broker(connection, now),
        events=status.EventsStatus(
            total=total,
            rejected={reason: count for reason, count in rejected.items() if count},
            last_event_seconds=None if last_event_at is None else max(0.0, wall - last_event_at),
            tracked_tasks=tracked,
        ),
        workers=all_workers,
        queues=_queues(all_queues, all_series),
        busiest=_top(tasks, lambda task: task.received or task.sent),
        failing=_top((t for t in tasks if t.failed), lambda task: task.failed),
        notes=_notes(fleet, connection, known, all_series),
    )


def _broker(connection: stream.Stream, now: float) -> status.BrokerStatus:
    return status.BrokerStatus(
        url=connection.url,
        transport=connection.transport,
        up=connection.up,
        since=connection.since,
        last_error=connection.last_error,
        gaps=sum(connection.gaps.values()),
        gap_seconds=connection.gap_seconds(now),
    )


def _worker(worker: Worker, now: float) -> status.WorkerStatus:
    return status.WorkerStatus(
        hostname=worker.hostname,
        state=worker.state.value,
        pid=worker.pid,
        last_heard_seconds=max(0.0, now - worker.last_heard),
        tasks_active=worker.active,
        tasks_processed=worker.processed,
        load_average=worker.loadavg,
        events_enabled=worker.events_enabled,
        version=worker.sw_ver,
        system=worker.sw_sys,
    )


def _task(
    one: series.TaskSeries, oldest: dict[tuple[str, ...], float], wall: float
) -> status.TaskStatus:
    runtime = one.runtime_succeeded
    observed = sum(runtime.counts) if runtime else 0
    started = oldest.get(one.labels)
    exceptions = sorted(one.failed.items(), key=lambda item: -item[1])
    return status.TaskStatus(
        name=one.name,
        queue_name=one.queue_name,
        sent=one.sent,
        received=one.received,
        started=one.started,
        succeeded=one.succeeded,
        failed=one.failed.total(),
        retried=one.retried.total(),
        revoked=one.revoked.total(),
        mean_runtime_seconds=runtime.sum / observed if runtime and observed else None,
        oldest_started_seconds=None if started is None else max(0.0, wall - started),
        top_exception=exceptions[0][0][0] if exceptions else None,
    )


def _top(tasks: Iterable[status.TaskStatus], key: object) -> tuple[status.TaskStatus, ...]:
    return tuple(sorted(tasks, key=key, reverse=True)[:MOST_TASKS])  # type: ignore[call-overload]


def _queues(
    roles: dict[str, tuple[str, tuple[str, ...]]], all_series: list[series.TaskSeries]
) -> tuple[status.QueueStatus, ...]:
    """Return the queues with known role and sources, those only tasks name, what is in flight."""
    in_flight: dict[str, list[int]] = {}
    for one in all_series:
        counts = in_flight.setdefault(one.queue_name, [0] * len(one.in_flight))
        for state, count in enumerate(one.in_flight):
            counts[state] += count
    names = sorted({*roles, *in_flight} - {labels.UNKNOWN}) + (
        [labels.UNKNOWN] if labels.UNKNOWN in in_flight else []
    )
    found = []
    for name in names[:MOST_QUEUES]:
        role, sources = roles.get(name, ("work", ()))
        counts = in_flight.get(name, [0] * (STARTED + 1))
        found.append(
            status.QueueStatus(
                queue_name=name,
                role=role,
                sources=sources,
                sent=counts[SENT],
                received=counts[RECEIVED],
                started=counts[STARTED],
            )
        )
    return tuple(found)


def _notes(
    fleet: model.Fleet,
    connection: stream.Stream,
    known: list[Worker],
    all_series: list[series.TaskSeries],
) -> tuple[str, ...]:
    """Say in plain words why something may be missing."""
    notes = []
    if not connection.up:
        why = f": {connection.last_error}" if connection.last_error else ""
        notes.append(f"The broker cannot be reached{why}. We go on trying.")
    notes.extend(_worker_notes(known))
    if all_series and not any(one.sent for one in all_series):
        notes.append(
            "No task-sent event has been seen, so queue waits are missing and queues may be "
            "unknown: set task_send_sent_event = True in the producers."
        )
    if any(one.name == labels.UNKNOWN for one in all_series):
        notes.append(
            "Tasks under the name 'unknown' had begun before we listened, or their task-received "
            "event was lost."
        )
    overflow = fleet.series.names.overflow + fleet.series.queues.overflow + fleet.workers.overflow
    if overflow or fleet.series.series_overflow:
        notes.append(
            "A label has reached its limit and the rest is counted under '__other__': see "
            "celery_sentinel_label_overflow_total and metrics.limits."
        )
    return tuple(notes)


def _worker_notes(known: list[Worker]) -> list[str]:
    notes = []
    for worker in known[:MOST_WORKERS]:
        if worker.events_enabled is False:
            notes.append(
                f"Worker {worker.hostname} runs tasks but sends no task events: start it with -E, "
                "or leave events.enable on."
            )
        if worker.duplicate:
            notes.append(
                f"Two workers call themselves {worker.hostname}: give each its own name with -n."
            )
        if worker.state is State.UNHEARD and worker.heartbeat_at is None:
            notes.append(
                f"Worker {worker.hostname} sends no heartbeats (--without-heartbeat?), so "
                "whether it is up cannot be known."
            )
    return notes
