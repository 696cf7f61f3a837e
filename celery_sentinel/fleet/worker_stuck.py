"""Tells the worker that is stuck from the one that is idle and the one that is busy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.fleet import worker_rate_limits, worker_verdict
from celery_sentinel.fleet.worker import State

if TYPE_CHECKING:
    from celery_sentinel.fleet import queues
    from celery_sentinel.fleet.worker import Worker

POLLS_UNANSWERED = 2
POLLS_UNCONSUMING = 2
BEATS_STANDING_STILL = 2  # what a worker has processed is told by its heartbeats


def judge(worker: Worker, table: queues.QueueTable, now: float, *, after: float) -> None:
    """Set ``worker.wedged`` to the reason it seems stuck, or None; ``after`` is in seconds.

    It beats but has left two polls in a row unanswered; or it has said twice that it consumes no
    queue, and did before; or for ``after`` seconds its queues have held messages, it has had free
    slots, and it has started nothing, which no rate limit explains. Nothing is
    said of a worker that is not up.
    """
    if worker.state is not State.UP:
        worker.wedged = worker.stalled_since = None
        return
    facts = worker_verdict.Facts(
        heard="beats",
        answers=_answers(worker),
        consumes=_consumes(worker),
        progresses=_progresses(worker, table, now, after=after),
        pool=worker.kind,
    )
    worker.wedged = worker_verdict.of(facts).wedged or None


def _answers(worker: Worker) -> str:
    """Tell how it has answered the last polls.

    One that has never answered is not said to have ceased: its remote control may be off.
    """
    if worker.responding is None:
        return worker_verdict.UNKNOWN
    if worker.responding:
        return "yes"
    if worker.answered_at is None:
        return "never"
    return "no" if worker.unanswered >= POLLS_UNANSWERED else "missed"


def _consumes(worker: Worker) -> str:
    """Tell whether it consumes a queue: no, if it did and has twice said that it does not."""
    if worker.queues is None:
        return worker_verdict.UNKNOWN
    if worker.queues:
        return "yes"
    ceased = worker.consumed and worker.unconsuming >= POLLS_UNCONSUMING
    return "no" if ceased else worker_verdict.UNKNOWN


def _progresses(worker: Worker, table: queues.QueueTable, now: float, *, after: float) -> str:
    """Tell whether it starts tasks: no, if it could and has started none for ``after`` seconds."""
    if not _is_stalled(worker, table):
        worker.stalled_since = None
        worker.clear_limits()
        return worker_verdict.UNKNOWN
    if worker.stalled_since is None:
        worker.stalled_since = now
    patience = max(after, BEATS_STANDING_STILL * worker.interval)
    if now - worker.stalled_since < patience:
        return worker_verdict.UNKNOWN
    return worker_verdict.UNKNOWN if worker_rate_limits.may_hold(worker) else "no"


def _is_stalled(worker: Worker, table: queues.QueueTable) -> bool:
    """Tell whether it could work, has work, and has started none since we last looked."""
    stood_still = worker.processed is not None and worker.processed == worker.stalled_at
    worker.stalled_at = worker.processed
    if not stood_still or not worker.free_slots:
        return False
    found = (table.by_name.get(name) for name in worker.queues or ())
    return any(queue is not None and bool(queue.length) for queue in found)
