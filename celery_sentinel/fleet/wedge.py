"""Tells the worker that is stuck from the one that is idle and the one that is busy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.fleet.worker import SOLO, State

if TYPE_CHECKING:
    from celery_sentinel.fleet import queues
    from celery_sentinel.fleet.worker import Worker

NOT_ANSWERING = "not_answering"
NO_PROGRESS = "no_progress"
REASONS = (NOT_ANSWERING, NO_PROGRESS)
POLLS_UNANSWERED = 2
BEATS_STANDING_STILL = 2  # what a worker has processed is told by its heartbeats


def judge(worker: Worker, table: queues.QueueTable, now: float, *, after: float) -> None:
    """Set ``worker.wedged`` to the reason it seems stuck, or None; ``after`` is in seconds.

    It beats but has left two polls in a row unanswered; or for ``after`` seconds its queues
    have held messages, it has had free slots, and it has started nothing. Nothing is said of
    a worker that is not up, nor of the pool solo, which can do neither while it works. One
    that has never answered is not said to have ceased: its remote control may be off.
    """
    if worker.state is not State.UP or worker.pool == SOLO:
        worker.wedged = worker.stalled_since = None
        return
    if worker.unanswered >= POLLS_UNANSWERED and worker.answered_at is not None:
        worker.wedged = NOT_ANSWERING
        return
    if not _is_stalled(worker, table):
        worker.stalled_since = None
    elif worker.stalled_since is None:
        worker.stalled_since = now
    patience = max(after, BEATS_STANDING_STILL * worker.interval)
    stalled = worker.stalled_since is not None and now - worker.stalled_since >= patience
    worker.wedged = NO_PROGRESS if stalled else None


def _is_stalled(worker: Worker, table: queues.QueueTable) -> bool:
    """Tell whether it could work, has work, and has started none since we last looked."""
    stood_still = worker.processed is not None and worker.processed == worker.stalled_at
    worker.stalled_at = worker.processed
    if not stood_still or not worker.free_slots:
        return False
    found = (table.by_name.get(name) for name in worker.queues or ())
    return any(queue is not None and bool(queue.length) for queue in found)
