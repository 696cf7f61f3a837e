"""Who works on a queue: the workers that are there and consume it, and their slots."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from celery_sentinel.fleet import batches
from celery_sentinel.fleet.worker import State

if TYPE_CHECKING:
    from celery_sentinel.fleet import model
    from celery_sentinel.fleet.worker import Worker


class QueueCapacity(NamedTuple):
    """The workers of one queue. ``busy`` slots run a task of whichever queue.

    ``slots`` is None while one of the workers has not told how many it has. ``progressed_at`` is
    when one was last heard to start a task (monotonic); ``held`` are tasks taken and not begun by
    those that have free slots.
    """

    workers: int
    slots: int | None
    busy: int
    progressed_at: float | None = None
    held: int = 0


NOBODY = QueueCapacity(0, 0, 0)


class QueueCapacities:
    """The capacity of all queues, as far as they are known."""

    def __init__(self, fleet: model.Fleet) -> None:
        self._by_queue: dict[str, QueueCapacity] = {}
        with fleet.lock.reading():
            asked_at = fleet.answers.known_at
        self._nobody = None if asked_at is None else NOBODY
        if asked_at is not None:
            for worker in batches.of(fleet, fleet.workers):
                if _is_there(worker, asked_at):
                    self._add(worker)

    def of(self, queue_name: str) -> QueueCapacity | None:
        """Return the capacity of a queue; None while it is unknown whether it has one.

        That is before workers have answered, and while one is up that has not told its queues.
        """
        return self._by_queue.get(queue_name, self._nobody)

    def _add(self, worker: Worker) -> None:
        if worker.queues is None:
            self._nobody = None
            return
        slots, busy = worker.slots, worker.busy
        if worker.may_be_working:
            busy = max(1, busy if slots is None else slots)  # else it would be heard
        for name in set(worker.queues):
            capacity = self._by_queue.get(name, NOBODY)
            all_slots = None if capacity.slots is None or slots is None else capacity.slots + slots
            moved = [at for at in (capacity.progressed_at, worker.progressed_at) if at is not None]
            self._by_queue[name] = QueueCapacity(
                capacity.workers + 1,
                all_slots,
                capacity.busy + busy,
                progressed_at=max(moved, default=None),
                held=capacity.held + (worker.reserved or 0 if worker.free_slots else 0),
            )


def _is_there(worker: Worker, asked_at: float) -> bool:
    """Tell whether a worker counts: it is up, or sends no heartbeats but answers.

    The pool solo does neither while it works, and what has not told its pool may be solo.
    """
    if worker.state is State.UNHEARD:
        answered = worker.answered_at is not None and worker.answered_at >= asked_at
        return answered or worker.may_be_working
    return worker.state is State.UP
