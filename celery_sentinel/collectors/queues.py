"""Which queues are known, and whether their broker is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel import catalogue, samples
from celery_sentinel.collectors import portions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from celery_sentinel.fleet import model, stream


def collect(fleet: model.Fleet, connection: stream.Stream) -> Iterator[samples.Family]:
    """Yield the queue and broker families."""
    yield samples.family(
        catalogue.QUEUE_INFO,
        [
            ((queue.name, source, queue.role), 1)
            for queue in portions.of(fleet, fleet.queues)
            for source in sorted(queue.sources)
        ],
    )
    yield samples.family(catalogue.BROKER_UP, [((connection.transport,), int(connection.up))])
