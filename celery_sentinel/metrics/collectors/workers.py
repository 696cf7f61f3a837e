"""Which workers are there and how they fare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.fleet import batches, labels, worker_verdict
from celery_sentinel.fleet.worker import State, Worker
from celery_sentinel.metrics import catalogue, samples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from celery_sentinel.fleet import model

_WINDOWS = ("1m", "5m", "15m")

Gathered = dict[catalogue.Metric, list[tuple[tuple[str, ...], float]]]


def collect(fleet: model.Fleet) -> Iterator[samples.Family]:
    """Yield the worker families; a worker that said goodbye has left them."""
    gathered: Gathered = {
        metric: [] for metric in catalogue.METRICS if metric.group == "workers" and metric.labels
    }
    for worker in batches.of(fleet, fleet.workers):
        if worker.state is not State.OFFLINE:
            _add(worker, gathered)
    for metric, children in gathered.items():
        yield samples.family(metric, children)
    yield samples.single(catalogue.WORKER_LOST, fleet.workers.lost)


def _add(worker: Worker, gathered: Gathered) -> None:
    hostname = (worker.hostname,)
    if worker.state in {State.UP, State.LOST}:
        gathered[catalogue.WORKER_UP].append((hostname, int(worker.state is State.UP)))
        gathered[catalogue.WORKER_RESTARTS].append((hostname, worker.restarts))
        gathered[catalogue.WORKER_CRASHES].append((hostname, worker.crashes))
    if worker.heartbeat_at is not None:
        gathered[catalogue.WORKER_NAME_SHARED].append((hostname, int(worker.duplicate)))
    for metric, value in (
        (catalogue.WORKER_LAST_HEARTBEAT, worker.heartbeat_at),
        (catalogue.WORKER_TASKS_ACTIVE, worker.active),
        (catalogue.WORKER_TASKS_PROCESSED, worker.processed),
        (catalogue.WORKER_START, worker.started_at),
        (catalogue.WORKER_CLOCK_SKEW, worker.skew),
        (catalogue.WORKER_TASKS_RESERVED, worker.reserved),
        (catalogue.WORKER_TASKS_SCHEDULED, worker.scheduled),
        (catalogue.WORKER_CONCURRENCY, worker.slots),
        (catalogue.WORKER_POOL_SIZE, worker.slots_now),
        (catalogue.WORKER_PREFETCH_COUNT, worker.prefetch_count),
        (catalogue.WORKER_MAX_RSS, worker.max_rss_bytes),
    ):
        if value is not None:
            gathered[metric].append((hostname, value))
    if worker.events_enabled is not None:
        enabled = int(worker.events_enabled)
        gathered[catalogue.WORKER_EVENTS_ENABLED].append((hostname, enabled))
    if worker.loadavg is not None:
        load = gathered[catalogue.WORKER_LOAD_AVERAGE]
        load.extend(
            ((worker.hostname, window), value)
            for window, value in zip(_WINDOWS, worker.loadavg, strict=True)
        )
    if worker.sw_ver is not None:
        system, pool = worker.sw_sys or labels.UNKNOWN, worker.pool or labels.UNKNOWN
        info = (worker.hostname, worker.sw_ver, system, pool)
        gathered[catalogue.WORKER_INFO].append((info, 1))
    _add_judgement(worker, gathered)


def _add_judgement(worker: Worker, gathered: Gathered) -> None:
    """Add whether it answers and works; of a worker that is not up nothing is said."""
    if worker.state is not State.UP or worker.responding is None:
        return
    answered = int(worker.responding)
    gathered[catalogue.WORKER_RESPONDING].append(((worker.hostname,), answered))
    gathered[catalogue.WORKER_WEDGED].extend(
        ((worker.hostname, reason), int(worker.wedged == reason))
        for reason in worker_verdict.REASONS
    )
