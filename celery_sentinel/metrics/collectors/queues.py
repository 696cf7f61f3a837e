"""What waits in which queue, who works on it, and how the broker fares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.fleet import batches, queue_capacity
from celery_sentinel.metrics import catalogue, samples
from celery_sentinel.metrics.collectors import broker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from celery_sentinel.fleet import model, queues, result_backend_health
    from celery_sentinel.telemetry import subscription

WRONG_TYPE = "wrong_type"  # the only reason yet for which a queue cannot be counted

Gathered = dict[catalogue.Metric, list[tuple[tuple[str, ...], float]]]

_OF_A_QUEUE = tuple(
    metric
    for metric in catalogue.METRICS
    if metric.group == "queues" and metric.labels[:1] == ("queue_name",)
)


def collect(
    fleet: model.Fleet,
    connection: subscription.Subscription,
    results: result_backend_health.Backend | None = None,
    *,
    compat: bool = False,
) -> Iterator[samples.Family]:
    """Yield the queue and broker families; the de-facto names only with ``compat``."""
    gathered: Gathered = {metric: [] for metric in _OF_A_QUEUE if compat or not metric.compat}
    capacities = queue_capacity.QueueCapacities(fleet)
    for queue in batches.of(fleet, fleet.queues):
        _info(queue, gathered)
        _depth(queue, gathered)
        _capacity(queue, capacities.of(queue.name), gathered)
    if compat:
        gathered[catalogue.CONSUMERS_COMPAT] = gathered[catalogue.QUEUE_CONSUMERS]
        gathered[catalogue.WORKERS_COMPAT] = gathered[catalogue.QUEUE_WORKERS]
        gathered[catalogue.PROCESSES_COMPAT] = gathered[catalogue.QUEUE_SLOTS]
    for metric, children in gathered.items():
        yield samples.family(metric, children)
    yield from _broker(fleet, connection)
    yield from broker.collect(fleet, connection)
    if results is not None:
        up = [] if results.up is None else [((results.transport,), int(results.up))]
        yield samples.family(catalogue.RESULT_BACKEND_UP, up)
        yield samples.single(catalogue.RESULT_BACKEND_ROUND_TRIP, results.round_trip)


def _info(queue: queues.Queue, gathered: Gathered) -> None:
    info = gathered[catalogue.QUEUE_INFO]
    info.extend(((queue.name, source, queue.role), 1) for source in sorted(queue.sources))


def _depth(queue: queues.Queue, gathered: Gathered) -> None:
    name = (queue.name,)
    if queue.length is not None:
        gathered[catalogue.QUEUE_LENGTH].append((name, queue.length))
    if queue.foreign is not None:
        gathered[catalogue.QUEUE_UNREADABLE].append(((queue.name, WRONG_TYPE), 1))
    if queue.unacked is not None:
        gathered[catalogue.QUEUE_UNACKED].append((name, queue.unacked))
    gathered[catalogue.QUEUE_PRIORITY_LENGTH].extend(
        ((queue.name, priority), length) for priority, length in queue.by_priority.items()
    )
    if queue.oldest_at is not None and queue.oldest_source is not None:
        labels = (queue.name, queue.oldest_source)
        gathered[catalogue.QUEUE_OLDEST_MESSAGE].append((labels, queue.oldest_at))


def _capacity(
    queue: queues.Queue, capacity: queue_capacity.QueueCapacity | None, gathered: Gathered
) -> None:
    name = (queue.name,)
    consumers = queue.consumers
    if consumers is None and capacity is not None:
        consumers = capacity.workers
    if consumers is not None:
        gathered[catalogue.QUEUE_CONSUMERS].append((name, consumers))
    if capacity is not None:
        gathered[catalogue.QUEUE_WORKERS].append((name, capacity.workers))
        if capacity.slots is not None:
            gathered[catalogue.QUEUE_SLOTS].append((name, capacity.slots))
        gathered[catalogue.QUEUE_SLOTS_BUSY].append((name, capacity.busy))


def _broker(fleet: model.Fleet, connection: subscription.Subscription) -> Iterator[samples.Family]:
    yield samples.family(catalogue.BROKER_UP, [((connection.transport,), int(connection.up))])
    yield samples.single(catalogue.BROKER_VISIBILITY_TIMEOUT, connection.visibility_timeout)
    with fleet.lock.reading():
        found = fleet.backlog
        figures = (
            (catalogue.BROKER_ROUND_TRIP, found.round_trip),
            (catalogue.BROKER_UNACKED, found.unacked),
            (catalogue.BROKER_OLDEST_UNACKED, found.oldest_unacked_at),
            (catalogue.BROKER_DELAYED, found.delayed),
        )
    for metric, value in figures:
        yield samples.single(metric, value)
