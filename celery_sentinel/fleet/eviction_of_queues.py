"""A limit of queues that names without life have reached must not hide one that is worked on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.fleet import label_turnover

if TYPE_CHECKING:
    from collections.abc import Mapping

    from celery_sentinel.fleet.queues import Queue

CONSUMED, SENT_TO = "inspect", "event"  # the sources that prove that a queue is used
LOOK_EACH = 1.0  # seconds


class IdleQueues:
    """Finds which queue makes room for one that a worker consumes, or that tasks are sent to.

    Never one that is configured, holds messages, has consumers, or was consumed in the last
    ``lately`` seconds; for one that is only sent to, none that was sent to in the last ``after``.
    The longest idle goes first, a dead-letter queue, which is mostly empty, after all others. A
    queue that is merely listed by a broker displaces none.
    """

    def __init__(
        self, queues: Mapping[str, Queue], *, limit: int, lately: float, after: float
    ) -> None:
        self.turnover = label_turnover.LabelTurnover(limit)
        self._queues = queues
        self._lately = lately
        self._patience = {CONSUMED: 0.0, SENT_TO: after}
        self._idle: list[Queue] = []
        self._looked_at = float("-inf")

    def holds(self, queue: Queue, wall: float) -> bool:
        """Tell whether a queue keeps its place whoever asks for it."""
        found = queue.length or queue.unacked or queue.consumers or "config" in queue.sources
        return bool(found) or queue.consumed_at > wall - self._lately

    def take(self, source: str, wall: float) -> Queue | None:
        """Return the queue that makes room for one that ``source`` named; None if none does."""
        patience = self._patience.get(source)
        if patience is None:
            return None
        if not self._looked_at <= wall < self._looked_at + LOOK_EACH:
            self._looked_at = wall
            idle = [queue for queue in self._queues.values() if not self.holds(queue, wall)]
            self._idle = sorted(idle, key=_claim)[::-1]
        while self._idle:
            queue = self._idle[-1]
            if self._queues.get(queue.name) is queue and not self.holds(queue, wall):
                if queue.lively_at > wall - patience or not self.turnover.take(wall):
                    return None  # the others have been idle for less long
                return self._idle.pop()
            self._idle.pop()
        return None


def _claim(queue: Queue) -> tuple[bool, float]:
    return queue.role == "dead_letter", queue.lively_at
