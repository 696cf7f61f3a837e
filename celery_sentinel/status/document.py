"""Builds the status document, which the landing page and the API show, from the fleet."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from celery_sentinel import __version__
from celery_sentinel.fleet import batches, oldest_runs, worker_gone
from celery_sentinel.fleet.worker import State, Worker
from celery_sentinel.status import (
    broker_advice,
    last_hour,
    notes,
    queues,
    schema as status_schema,
    unmet_objectives,
)
from celery_sentinel.telemetry import polls

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from celery_sentinel import poll_results
    from celery_sentinel.fleet import model, objectives, result_backend_health, task_series
    from celery_sentinel.fleet.queue_depth import Backlog
    from celery_sentinel.telemetry import subscription

MOST_TASKS = 15
MOST_WORKERS = 200


def build(
    fleet: model.Fleet,
    connection: subscription.Subscription,
    results: result_backend_health.Backend | None = None,
    *,
    state: status_schema.StateStatus | None = None,
    recent: last_hour.LastHour | None = None,
    started: float,
    ready: bool,
) -> status_schema.Status:
    """Return the state of everything at this moment; ``started`` is epoch seconds.

    Without ``recent`` all that was counted counts as of the last hour.
    """
    now, wall = time.monotonic(), time.time()
    with fleet.lock.reading():
        known = [worker for worker in fleet.workers if worker.state is not State.OFFLINE]
        known.sort(key=_urgency)
        all_workers = tuple(_worker(worker, now) for worker in known[:MOST_WORKERS])
        total = sum(fleet.event_counts.values())
        tracked = len(fleet.records.by_id)
        last_event_at = fleet.last_event_at
        malformed, unknown_types = fleet.records.malformed, fleet.unknown_types
        rejected = dict(connection.rejected)
        troubles = polls.troubles(connection, fleet.polls, fleet.backlog.condition)
    rejected["malformed"] = rejected.get("malformed", 0) + malformed
    rejected["unknown_type"] = rejected.get("unknown_type", 0) + unknown_types
    oldest = oldest_runs.started_at(fleet)
    all_series = list(batches.of(fleet, fleet.series))
    asked, recent = fleet.objectives, recent or last_hour.LastHour()
    tasks = [
        _task(one, recent.of(one), oldest, wall, asked) for one in batches.of(fleet, all_series)
    ]
    return status_schema.Status(
        version=__version__,
        started=started,
        uptime_seconds=wall - started,
        ready=ready,
        broker=_broker(connection, fleet.backlog, troubles, now),
        events=status_schema.EventsStatus(
            total=total,
            rejected={reason: count for reason, count in rejected.items() if count},
            last_event_seconds=None if last_event_at is None else max(0.0, wall - last_event_at),
            tracked_tasks=tracked,
        ),
        workers=all_workers,
        queues=queues.build(fleet, all_series, wall, now),
        busiest=_top(tasks, lambda task: task.received or task.sent),
        failing=_top((t for t in tasks if t.failed_last_hour), lambda t: t.failed_last_hour),
        result_backend=_result_backend(results),
        state=state,
        notes=notes.build(fleet, connection, known, all_series, now, troubles=troubles),
    )


def _urgency(worker: Worker) -> tuple[bool, bool, str]:
    """Order the lost first, then the wedged."""
    return worker.state is not State.LOST, worker.wedged is None, worker.hostname


def _broker(
    connection: subscription.Subscription,
    backlog: Backlog,
    troubles: Sequence[poll_results.Trouble],
    now: float,
) -> status_schema.BrokerStatus:
    told = connection.last_error
    if told is None and troubles:
        told = troubles[0].text
    return status_schema.BrokerStatus(
        url=connection.url,
        transport=connection.transport,
        up=connection.up,
        since=connection.since,
        last_error=told,
        gaps=sum(connection.gaps.values()),
        gap_seconds=connection.gap_seconds(now),
        round_trip_seconds=backlog.round_trip,
        unacked=backlog.unacked,
        delayed=backlog.delayed,
        troubles=broker_advice.told(troubles),
        condition=_condition(backlog.condition),
    )


def _condition(found: poll_results.BrokerCondition | None) -> status_schema.ConditionStatus | None:
    if found is None:
        return None
    return status_schema.ConditionStatus(
        product=found.product,
        version=found.version,
        role=found.role,
        mode=found.mode,
        eviction_policy=found.eviction_policy,
        memory_used_bytes=found.memory_used,
        memory_max_bytes=found.memory_max,
        evicted_keys=found.evicted_keys,
        clients=found.clients,
        clients_max=found.clients_max,
        writable=found.writable,
        alarms=tuple(name for name, raised in found.alarms.items() if raised),
    )


def _result_backend(
    results: result_backend_health.Backend | None,
) -> status_schema.ResultBackendStatus | None:
    if results is None:
        return None
    return status_schema.ResultBackendStatus(
        transport=results.transport, up=results.up, round_trip_seconds=results.round_trip
    )


def _worker(worker: Worker, now: float) -> status_schema.WorkerStatus:
    return status_schema.WorkerStatus(
        hostname=worker.hostname,
        state=worker.state.value,
        pid=worker.pid,
        last_heard_seconds=max(0.0, now - worker.last_seen),
        tasks_active=worker.active,
        tasks_processed=worker.processed,
        load_average=worker.loadavg,
        events_enabled=worker.events_enabled,
        version=worker.sw_ver,
        system=worker.sw_sys,
        responding=worker.responding,
        wedged=worker.wedged,
        remote_control=_remote_control(worker),
        may_be_working=worker.may_be_working and now - worker.last_heard > worker.patience,
        pool=worker.pool,
        concurrency=worker.slots,
        pool_size=worker.slots_now,
        tasks_reserved=worker.reserved,
        tasks_scheduled=worker.scheduled,
        queues=worker.queues,
    )


def _remote_control(worker: Worker) -> bool | None:
    if worker.answered_at is not None:
        return True
    return False if worker.ignored >= worker_gone.IGNORED else None


def _task(
    one: task_series.TaskSeries,
    ended: last_hour.Ended,
    oldest: dict[tuple[str, ...], float],
    wall: float,
    asked: objectives.Objectives,
) -> status_schema.TaskStatus:
    runtime = one.runtime_succeeded
    observed = sum(runtime.counts) if runtime else 0
    started = oldest.get(one.labels)
    running = None if started is None else max(0.0, wall - started)
    exceptions = sorted(one.failed.items(), key=lambda item: -item[1])
    return status_schema.TaskStatus(
        name=one.name,
        queue_name=one.queue_name,
        sent=one.sent,
        received=one.received,
        started=one.started,
        succeeded=one.succeeded,
        failed=one.failed.total(),
        retried=one.retried.total(),
        revoked=one.revoked.total(),
        rejected=one.rejected.total(),
        failed_last_hour=ended.failed,
        succeeded_last_hour=ended.succeeded,
        mean_runtime_seconds=runtime.sum / observed if runtime and observed else None,
        oldest_started_seconds=running,
        top_exception=exceptions[0][0][0] if exceptions else None,
        missed=unmet_objectives.of(asked.of_task(one.name), {"stuck_seconds": running}),
    )


def _top(
    tasks: Iterable[status_schema.TaskStatus], key: object
) -> tuple[status_schema.TaskStatus, ...]:
    return tuple(sorted(tasks, key=key, reverse=True)[:MOST_TASKS])  # type: ignore[call-overload]
