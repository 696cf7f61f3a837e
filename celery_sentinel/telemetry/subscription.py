"""What is known about our own connection: whether it stands, its gaps, what it refused."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from celery_sentinel import poll_results

Reason = Literal["error", "watchdog", "slow_consumer", "overflow", "restart"]
REASONS: tuple[Reason, ...] = get_args(Reason)


class Subscription:
    """State of the event stream; written by the receiver and the poller, read by all.

    ``since`` is epoch seconds of the last change of ``up``; a gap runs from the loss of a
    standing subscription to the next one, so a broker that was never reached is no gap. With a
    ``durable`` queue a break is a gap only if the queue turns out not to have kept everything;
    else it is one of ``resumptions``.
    ``events_impossible`` says why the transport can carry no events, None where it can.
    ``visibility_timeout`` is in seconds, None on a broker that has none.
    """

    def __init__(self, *, transport: str, url: str) -> None:
        self.transport = transport
        self.url = url
        self.up = False
        self.since: float | None = None
        self.last_error: str | None = None
        self.last_reason: poll_results.Reason = "other"  # that of last_error
        self.events_impossible: str | None = None
        self.visibility_timeout: float | None = None
        self.durable = False
        self.resumptions = 0
        self.gaps: Counter[str] = Counter(dict.fromkeys(REASONS, 0))
        self.rejected: Counter[str] = Counter()
        self.salvaged: Counter[str] = Counter()
        self.refused_types: Counter[str] = Counter()  # by content type
        self.control: Counter[str] = Counter(asked=0, failed=0)
        self.failures: Counter[str] = Counter()
        self._connected_at = float("-inf")
        self._away: tuple[str, float] | None = None  # reason and start of a break not yet judged
        self._last_away = 0.0
        self._renewing = False
        self._renewed: float | None = None  # epoch: the last such renewal
        # Seconds of the gaps that have ended, start of the one under way: replaced as one, so
        # that a reader in another thread never sees the first without the second.
        self._gap: tuple[float, float | None] = (0.0, None)

    def breaks(self, now: float) -> tuple[float, float | None, str | None]:
        """Return the seconds of the gaps that have ended, and of the break under way if any.

        The third is its reason, if it is not judged yet whether it is a gap.
        """
        ended, began = self._gap
        reason = None
        if self._away is not None:
            reason, began = self._away
        return ended, None if began is None else max(0.0, now - began), reason

    def resume(
        self, ended: float, under_way: float | None, now: float, *, reason: str | None
    ) -> None:
        """Take over the breaks of before a restart; the last began ``under_way`` seconds ago.

        With a ``reason`` the next subscription decides whether that is a gap.
        """
        began = None if under_way is None else now - under_way
        if reason is not None and began is not None:
            self._gap, self._away = (ended, None), (reason, began)
        else:
            self._gap = (ended, began)

    def connected(self, now: float, wall: float, *, kept: bool = False) -> float | None:
        """Note that the subscription stands; return how long it did not, None at the first time.

        ``kept`` says that the durable queue was there all the while.
        """
        ended, lost_at = self._gap
        away = None if lost_at is None else now - lost_at
        if self._renewing:
            self._renewing = False
            self._connected_at, self._renewed = now, wall
            return None
        if self._away is not None:
            (reason, lost_at), self._away = self._away, None
            away = now - lost_at
            self._last_away = away if kept else 0.0  # else it is a gap already
            self.resumptions += kept
            self.gaps[reason] += not kept
            self._gap = (ended + (0.0 if kept else away), None)
        else:
            self._gap = (ended + (away or 0.0), None)
        self._connected_at = now
        self.up, self.since, self.last_error = True, wall, None
        return away

    def doubted(self) -> bool:
        """Note that a standing subscription is to be renewed at once; tell whether it may be.

        Whether it was dead shows afterwards (``was_deaf``). A durable queue keeps what came.
        """
        self._renewing = self.up and not self.durable
        return self._renewing

    def was_deaf(self, since: float) -> float:
        """Note that the subscription renewed last had brought nothing ``since`` (monotonic).

        Returns how long that was, in seconds.
        """
        seconds = max(0.0, self._connected_at - since)
        self.gaps["watchdog"] += 1
        self._gap = (self._gap[0] + seconds, self._gap[1])
        self.since = self._renewed
        return seconds

    def lost(
        self, now: float, wall: float, *, reason: str, error: str, since: float | None = None
    ) -> None:
        """Note that the subscription broke, or could not be made (then it is no new gap).

        ``since`` is until when all is known to have been heard, if that was before ``now``.
        """
        self.last_error = error
        self._renewing = False
        if self.up:
            start = now if since is None else min(now, max(since, self._connected_at))
            if self.durable:
                self._away = (reason, start)
            else:
                self.gaps[reason] += 1
                self._gap = (self._gap[0], start)
        if self.up or self.since is None:
            self.up, self.since = False, wall

    def overflowed(self) -> None:
        """Note that the durable queue had been full: the latest absence is a gap after all.

        How long that was is known only if it was not a restart of ours.
        """
        self.gaps["overflow"] += 1
        self._gap = (self._gap[0] + self._last_away, self._gap[1])
        self._last_away = 0.0

    def gap_seconds(self, now: float) -> float:
        """Return how long the stream has been broken in all, a gap under way included."""
        ended, lost_at = self._gap
        return ended if lost_at is None else ended + max(0.0, now - lost_at)
