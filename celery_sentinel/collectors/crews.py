"""Who works on a queue: the workers that are there and consume it, and their slots."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from celery_sentinel.collectors import portions
from celery_sentinel.fleet.worker import SOLO, State

if TYPE_CHECKING:
    from celery_sentinel.fleet import model
    from celery_sentinel.fleet.worker import Worker


class Crew(NamedTuple):
    """The workers of one queue. ``busy`` slots run a task of whichever queue.

    ``slots`` is None while one of the workers has not told how many it has.
    """

    workers: int
    slots: int | None
    busy: int


NOBODY = Crew(0, 0, 0)


class Crews:
    """The crews of all queues, as far as they are known."""

    def __init__(self, fleet: model.Fleet) -> None:
        self._by_queue: dict[str, Crew] = {}
        with fleet.lock.reading():
            asked_at = fleet.answers.known_at
        self._nobody = None if asked_at is None else NOBODY
        if asked_at is not None:
            for worker in portions.of(fleet, fleet.workers):
                if _is_there(worker, asked_at):
                    self._add(worker)

    def of(self, queue_name: str) -> Crew | None:
        """Return the crew of a queue; None while it is unknown whether it has one.

        That is before workers have answered, and while one is up that has not told its queues.
        """
        return self._by_queue.get(queue_name, self._nobody)

    def _add(self, worker: Worker) -> None:
        if worker.queues is None:
            self._nobody = None
            return
        slots, busy = worker.slots, worker.busy
        if worker.pool == SOLO and worker.state is State.UNHEARD:
            busy = 1  # else it would be heard
        for name in set(worker.queues):
            crew = self._by_queue.get(name, NOBODY)
            all_slots = None if crew.slots is None or slots is None else crew.slots + slots
            self._by_queue[name] = Crew(crew.workers + 1, all_slots, crew.busy + busy)


def _is_there(worker: Worker, asked_at: float) -> bool:
    """Tell whether a worker counts: it is up, or sends no heartbeats but answers.

    The pool solo does neither while it works.
    """
    if worker.state is State.UNHEARD:
        answered = worker.answered_at is not None and worker.answered_at >= asked_at
        return answered or worker.pool == SOLO
    return worker.state is State.UP
