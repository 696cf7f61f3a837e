"""Whether a subscription that was renewed amid a silence had been dead: only that is a gap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.fleet.worker import State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from celery_sentinel.fleet.worker import Worker

JUDGED_WITHIN = 10.0  # seconds; who beats is heard again at once


class Doubt:
    """A silence that began at ``since`` and the subscription made amid it; times are monotonic.

    A worker that answered a question amid it was there to be heard, one that left it open was not.
    Where none was asked, one that beat has moved its Lamport clock on with each beat that we did
    not hear; one that was frozen, or busy, or that is a new process, has not.
    """

    def __init__(self, workers: Iterable[Worker], *, since: float, now: float) -> None:
        self.since = since
        self.renewed_at = now
        self._beats = {
            worker.hostname: (worker.pid, worker.clock, self._unheard(worker, now))
            for worker in workers
            if worker.heartbeat_at is not None and worker.state is not State.OFFLINE
        }

    def _unheard(self, worker: Worker, now: float) -> int:
        """Return how many beats of a worker we would have to have missed."""
        return max(2, int((now - max(self.since, worker.last_heard)) / worker.interval))

    def is_over(self, now: float) -> bool:
        """Tell whether nothing can prove any more that we were deaf."""
        return now - self.renewed_at > JUDGED_WITHIN

    def is_proven(self, workers: Iterable[Worker]) -> bool:
        """Tell whether a worker is heard that beat all the while."""
        return any(self._has_beaten(worker) for worker in workers)

    def _has_beaten(self, worker: Worker) -> bool:
        pid, clock, unheard = self._beats.get(worker.hostname, (None, None, 0))
        if worker.heard <= self.renewed_at or worker.pid != pid:
            return False
        answered_at = worker.answered_at
        if answered_at is not None and max(worker.missed_at, answered_at) > self.since:
            return answered_at > self.since
        if clock is None or worker.clock is None or worker.clock <= clock:
            return True  # no clock of Celery's: it does not say
        return worker.clock - clock >= unheard
