"""What failed lately: a page about now must not show a failure of last month."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from celery_sentinel.fleet import batches

if TYPE_CHECKING:
    from celery_sentinel.fleet import model, task_series

HOUR = 3600.0  # seconds
EACH = 300.0  # seconds between two checkpoints, so the window is one of 60 to 65 minutes


class Ended(NamedTuple):
    """How many runs ended, and how."""

    failed: int
    succeeded: int


_NONE = Ended(0, 0)


class LastHour:
    """Checkpoints of what had ended of each task, so that the last hour is a difference.

    What had been counted when we began is not part of it: of a counter that was restored nobody
    knows when it rose. At most 13 checkpoints are kept, each of at most ``metrics.limits.series``
    pairs; a pair that has not changed is shared by them.
    """

    def __init__(self) -> None:
        self._checkpoints: deque[tuple[float, dict[tuple[str, ...], Ended]]] = deque()

    def look(self, fleet: model.Fleet, now: float) -> None:
        """Take a checkpoint if one is due; ``now`` is monotonic. Takes the lock by portions."""
        if self._checkpoints and now - self._checkpoints[-1][0] < EACH:
            return
        before = self._checkpoints[-1][1] if self._checkpoints else {}
        taken: dict[tuple[str, ...], Ended] = {}
        for one in batches.of(fleet, fleet.series):
            ended, known = _ended(one), before.get(one.labels)
            taken[one.labels] = known if known == ended else ended
        self._checkpoints.append((now, taken))
        while len(self._checkpoints) > 1 and now - self._checkpoints[1][0] >= HOUR:
            self._checkpoints.popleft()

    def of(self, one: task_series.TaskSeries) -> Ended:
        """Return what ended in the last hour, or since we began."""
        ended = _ended(one)
        before = self._checkpoints[0][1].get(one.labels, _NONE) if self._checkpoints else _NONE
        if before.failed > ended.failed or before.succeeded > ended.succeeded:
            return ended  # it was forgotten meanwhile and has begun anew
        return Ended(ended.failed - before.failed, ended.succeeded - before.succeeded)


def _ended(one: task_series.TaskSeries) -> Ended:
    return Ended(one.failed.total(), one.succeeded)
