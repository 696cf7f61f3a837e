"""The queues of the status document: what waits in them, who works on them, what is in flight."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from celery_sentinel.fleet import batches, labels, queue_capacity
from celery_sentinel.fleet.task_series import CLOSED, RECEIVED, SENT, STARTED
from celery_sentinel.status import schema as status_schema, unmet_objectives

if TYPE_CHECKING:
    from collections.abc import Iterable

    from celery_sentinel.fleet import model, objectives, queues, task_series

MOST_QUEUES = 200


class _Facts(NamedTuple):
    """What is known of a queue beside its tasks."""

    role: str = "work"
    sources: tuple[str, ...] = ()
    length: int | None = None
    unacked: int | None = None
    consumers: int | None = None
    oldest_at: float | None = None
    oldest_source: str | None = None
    foreign: str | None = None


def build(
    fleet: model.Fleet, all_series: list[task_series.TaskSeries], wall: float, now: float
) -> tuple[status_schema.QueueStatus, ...]:
    """Return the queues that are known or that tasks name, the fullest first; at most 200."""
    facts = {queue.name: _facts(queue) for queue in batches.of(fleet, fleet.queues)}
    in_flight = _in_flight(all_series)
    capacities = queue_capacity.QueueCapacities(fleet)
    found = [
        _queue(
            name,
            facts.get(name, _Facts()),
            in_flight.get(name),
            capacities.of(name),
            wall=wall,
            now=now,
            asked=fleet.objectives,
        )
        for name in {*facts, *in_flight}
    ]
    found.sort(key=_urgency)
    return tuple(found[:MOST_QUEUES])


def _urgency(queue: status_schema.QueueStatus) -> tuple[bool, int, str]:
    """Order the fullest first, what has no name last."""
    return queue.queue_name == labels.UNKNOWN, -(queue.length or 0), queue.queue_name


def _facts(queue: queues.Queue) -> _Facts:
    return _Facts(
        role=queue.role,
        sources=tuple(sorted(queue.sources)),
        length=queue.length,
        unacked=queue.unacked,
        consumers=queue.consumers,
        oldest_at=queue.oldest_at,
        oldest_source=queue.oldest_source,
        foreign=queue.foreign,
    )


def _in_flight(all_series: Iterable[task_series.TaskSeries]) -> dict[str, list[int]]:
    """Return the tasks in flight of each queue, by state."""
    found: dict[str, list[int]] = {}
    for one in all_series:
        counts = found.setdefault(one.queue_name, [0] * CLOSED)
        for state in (SENT, RECEIVED, STARTED):
            counts[state] += one.in_flight[state]
    return found


def _queue(
    name: str,
    facts: _Facts,
    in_flight: list[int] | None,
    capacity: queue_capacity.QueueCapacity | None,
    *,
    wall: float,
    now: float,
    asked: objectives.Objectives,
) -> status_schema.QueueStatus:
    counts = in_flight or [0] * CLOSED
    if name in {labels.UNKNOWN, labels.OTHER}:
        capacity = None
    age = None if facts.oldest_at is None else max(0.0, wall - facts.oldest_at)
    consumers = (
        facts.consumers if facts.consumers is not None or capacity is None else capacity.workers
    )
    return status_schema.QueueStatus(
        queue_name=name,
        role=facts.role,
        sources=facts.sources,
        sent=counts[SENT],
        received=counts[RECEIVED],
        started=counts[STARTED],
        length=facts.length,
        unacked=facts.unacked,
        consumers=consumers,
        oldest_message_seconds=age,
        oldest_source=facts.oldest_source,
        foreign=facts.foreign,
        workers=None if capacity is None else capacity.workers,
        slots=None if capacity is None else capacity.slots,
        slots_busy=None if capacity is None else capacity.busy,
        started_seconds=_ago(capacity, now),
        held=None if capacity is None else capacity.held,
        missed=unmet_objectives.of(
            asked.of_queue(name, facts.role), {"age_seconds": age, "length": facts.length}
        ),
    )


def _ago(capacity: queue_capacity.QueueCapacity | None, now: float) -> float | None:
    """Return how long ago a worker of the queue started a task, None if that was not heard."""
    if capacity is None or capacity.progressed_at is None:
        return None
    return max(0.0, now - capacity.progressed_at)
