"""When the silence of a whole fleet is ours: a subscription may be dead on a live connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.fleet.worker import INTERVALS_TO_SILENCE, State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from celery_sentinel.fleet.worker import Worker

FLOOR = 15.0  # seconds without any event
AT_WORK = 60.0  # seconds, where a task may be what silences those that were heard
LONGEST = 900.0  # seconds between two attempts while nothing comes


class Silence:
    """Since when nothing has come from anybody; ``heard_at`` is monotonic, set with each batch.

    It costs a subscription, and is no gap until a worker proves it (``doubt``).
    A silence is doubted once if it followed beats on the same subscription. While the next one
    brings nothing either, it is doubted again only if workers answer questions, and ever later:
    a fleet that is dead is not worth a reconnect.
    """

    def __init__(self) -> None:
        self.heard_at = float("-inf")
        self._subscribed_at = float("-inf")
        self._in_vain = 0  # subscriptions in a row that brought nothing

    def subscribed(self, now: float) -> None:
        """Note a new subscription."""
        self._in_vain = 0 if self.heard_at > self._subscribed_at else self._in_vain + 1
        self._subscribed_at = now

    def excuse(self, now: float, seconds: float) -> None:
        """Take back so much of the silence: for that long we did not run."""
        self.heard_at = min(now, self.heard_at + seconds)

    def suspicious_since(self, workers: Iterable[Worker], now: float) -> float | None:
        """Return when a silence began that is worth a new subscription, None without one."""
        since = max(self.heard_at, self._subscribed_at)
        if now - since <= FLOOR:
            return None
        limit = min((self._limit(each) for each in workers if self._expected(each)), default=None)
        return None if limit is None or now - since <= limit else since

    def _expected(self, worker: Worker) -> bool:
        """Tell whether a worker that beats should have been heard on this subscription."""
        if worker.heartbeat_at is None or worker.state is State.OFFLINE:
            return False
        return worker.last_seen > self._subscribed_at

    def _limit(self, worker: Worker) -> float:
        patience = max(INTERVALS_TO_SILENCE * worker.interval, FLOOR)
        if worker.is_silent_at_work:
            patience = max(patience, AT_WORK)
        if self.heard_at <= self._subscribed_at:
            patience = min(patience * 2.0 ** min(self._in_vain, 10), max(LONGEST, patience))
        return patience
