"""Who works on a queue: the workers that are up and consume it, and their slots."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from celery_sentinel.collectors import portions
from celery_sentinel.fleet.worker import State

if TYPE_CHECKING:
    from celery_sentinel.fleet import model


class Crew(NamedTuple):
    """The workers of one queue. ``busy`` slots run a task of whichever queue."""

    workers: int
    slots: int
    busy: int


NOBODY = Crew(0, 0, 0)


def of(fleet: model.Fleet) -> dict[str, Crew] | None:
    """Return the crew of each queue that has one; None while no poll of the workers is valid."""
    with fleet.lock.reading():
        if fleet.answers.known_at is None:
            return None
    found: dict[str, Crew] = {}
    for worker in portions.of(fleet, fleet.workers):
        if worker.state is not State.UP or worker.queues is None:
            continue
        slots = worker.concurrency or 0
        busy = min(worker.active or 0, slots)
        for name in set(worker.queues):
            crew = found.get(name, NOBODY)
            found[name] = Crew(crew.workers + 1, crew.slots + slots, crew.busy + busy)
    return found
