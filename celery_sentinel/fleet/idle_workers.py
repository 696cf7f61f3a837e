"""A limit of workers that the dead have reached must not keep out those that live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.fleet import turnover
from celery_sentinel.fleet.worker import SOLO, SOLO_PATIENCE, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from celery_sentinel.fleet.worker import Worker

# In that order they go. A goodbye is remembered a moment: what was sent before it may follow it.
_PATIENCE = {State.OFFLINE: 10.0, State.LOST: 0.0, State.UNHEARD: 180.0}  # seconds of silence
_ORDER = tuple(_PATIENCE)


class IdleWorkers:
    """Finds who makes room: first those that said goodbye, then the longest lost or silent.

    One that is up never does. Those with tasks that ran when they were last heard go last.
    """

    def __init__(self, workers: Mapping[str, Worker], limit: int) -> None:
        self.turnover = turnover.Turnover(limit)
        self._workers = workers
        self._limit = limit
        self._now = 0.0
        self._idle: list[Worker] = []

    def look(self, now: float) -> None:
        """Find them, if all places are taken; call often, for it is done here, not for an event."""
        self._now = now
        self._idle.clear()
        if len(self._workers) >= self._limit:
            found = [worker for worker in self._workers.values() if self._is_idle(worker)]
            self._idle = sorted(found, key=_claim, reverse=True)

    def take(self) -> Worker | None:
        """Return the next that makes room, None if none does."""
        while self._idle:
            worker = self._idle[-1]
            if self._workers.get(worker.hostname) is worker and self._is_idle(worker):
                return self._idle.pop() if self.turnover.take(self._now) else None
            self._idle.pop()
        return None

    def _is_idle(self, worker: Worker) -> bool:
        patience = _PATIENCE.get(worker.state)
        if patience is None:
            return False
        if worker.state is State.UNHEARD and worker.pool == SOLO:
            patience = SOLO_PATIENCE  # it may be at work
        return self._now - worker.last_seen >= patience


def _claim(worker: Worker) -> tuple[bool, int, float]:
    return bool(worker.running), _ORDER.index(worker.state), worker.last_seen
