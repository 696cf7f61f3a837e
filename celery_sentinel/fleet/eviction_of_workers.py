"""A limit of workers that the dead have reached must not keep out those that live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.fleet import label_turnover, worker_verdict
from celery_sentinel.fleet.worker import State

if TYPE_CHECKING:
    from celery_sentinel.fleet.worker import Worker

# In that order they go. A goodbye is remembered a moment: what was sent before it may follow it.
_PATIENCE = {State.OFFLINE: 10.0, State.LOST: 0.0, State.UNHEARD: 180.0}  # seconds of silence
SOLO_PATIENCE = 900.0
LOOK_EACH, LASTS = 1.0, 5.0  # seconds; where all live each look finds nobody
_ORDER = tuple(_PATIENCE)


class IdleWorkers:
    """Finds who makes room: first those that said goodbye, then the longest lost or silent.

    One that is up never does. Those with tasks that ran when they were last heard go last.
    """

    def __init__(self, workers: dict[str, Worker], limit: int) -> None:
        self.turnover = label_turnover.LabelTurnover(limit)
        self._workers = workers
        self._limit = limit
        self._now = 0.0
        self._idle: list[Worker] = []
        self._looked_at = float("-inf")

    def look(self, now: float) -> None:
        """Find them, if all places are taken; call often, for it is done here, not for an event."""
        self._now = now
        if now < self._looked_at + (LASTS if self._idle else LOOK_EACH):
            return
        self._looked_at = now
        self._idle.clear()
        if len(self._workers) >= self._limit:
            found = [worker for worker in self._workers.values() if self._is_idle(worker)]
            self._idle = sorted(found, key=_claim)[::-1]

    def make_room(self, heir: Worker) -> bool:
        """Forget the next of them, if there is one; the ``heir`` has what may still run there."""
        while self._idle:
            worker = self._idle[-1]
            if self._workers.get(worker.hostname) is worker and self._is_idle(worker):
                if not self.turnover.take(self._now):
                    return False
                del self._workers[self._idle.pop().hostname]
                for uuid, record in worker.running.items():
                    record.worker = heir
                    heir.running[uuid] = record
                worker.release()
                return True
            self._idle.pop()
        return False

    def _is_idle(self, worker: Worker) -> bool:
        patience = _PATIENCE.get(worker.state)
        if patience is None:
            return False
        if worker.state is State.UNHEARD and worker.pool == worker_verdict.SOLO:
            patience = SOLO_PATIENCE  # it may be at work
        return self._now - worker.last_seen >= patience


def _claim(worker: Worker) -> tuple[bool, int, float]:
    return bool(worker.running), _ORDER.index(worker.state), worker.last_seen
