"""Which silent workers are worth looking for, and when not to be found proves that one is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.fleet.worker import State

if TYPE_CHECKING:
    from collections.abc import Collection

    from celery_sentinel.fleet.worker import Worker
    from celery_sentinel.fleet.workers import WorkerTable

# A broker, or what is between, may disconnect who is silent for a minute; who left earlier is gone.
WITHIN = 55.0  # seconds
EARLY = 0.6  # of its patience; so soon is looked for one whose pool, and so its silence, is unknown
# Questions it has left open while it beat, and never answered any: it has no mailbox, it seems.
IGNORED = 2


def suspects(table: WorkerTable, now: float, most: int) -> list[str]:
    """Return whose process may be gone, if the broker were to tell; at most so many."""
    return [worker.hostname for worker in table if _is_suspect(worker, now)][:most]


def note(table: WorkerTable, names: Collection[str], asked_at: float, *, lasting: bool) -> None:
    """Note whose mailbox was not there when asked at ``asked_at`` (monotonic).

    Where a mailbox is not ``lasting``, who has been silent for long may merely have been
    disconnected; and after a break of our own so may who is silent at its work.
    """
    for name in names:
        worker = table.by_hostname.get(name)
        if worker is None or not _is_suspect(worker, asked_at):
            continue
        soon = asked_at - worker.last_heard <= WITHIN
        unbroken = worker.last_heard >= table.resubscribed_at
        if (lasting and not worker.is_silent_at_work) or (unbroken and (lasting or soon)):
            worker.gone_at = asked_at


def _is_suspect(worker: Worker, now: float) -> bool:
    """Tell whether it is worth asking the broker for it."""
    if worker.heartbeat_at is None or worker.is_gone or worker.ignored >= IGNORED:
        return False
    if worker.state is State.UP:
        quiet = worker.is_silent_at_work and now - worker.last_heard > EARLY * worker.patience
        return bool(worker.unanswered) or (quiet and worker.pool is None)
    return worker.may_be_working or (worker.state is State.LOST and bool(worker.running))
