"""What is known about our own connection: whether it stands, its gaps, what it refused."""

from __future__ import annotations

from collections import Counter
from typing import Literal, get_args

Reason = Literal["error", "watchdog", "slow_consumer"]
REASONS: tuple[Reason, ...] = get_args(Reason)


class Stream:
    """State of the event stream; written by the receiver and the poller, read by all.

    ``since`` is epoch seconds of the last change of ``up``; a gap runs from the loss of a
    standing subscription to the next one, so a broker that was never reached is no gap.
    ``events_impossible`` says why the transport can carry no events, None where it can.
    ``visibility_timeout`` is in seconds, None on a broker that has none.
    """

    def __init__(self, *, transport: str, url: str) -> None:
        self.transport = transport
        self.url = url
        self.up = False
        self.since: float | None = None
        self.last_error: str | None = None
        self.events_impossible: str | None = None
        self.visibility_timeout: float | None = None
        self.gaps: Counter[str] = Counter(dict.fromkeys(REASONS, 0))
        self.rejected: Counter[str] = Counter()
        self.salvaged: Counter[str] = Counter()
        self.control: Counter[str] = Counter(asked=0, failed=0)
        self.failures: Counter[str] = Counter()
        # Seconds of the gaps that have ended, start of the one under way: replaced as one, so
        # that a reader in another thread never sees the first without the second.
        self._gap: tuple[float, float | None] = (0.0, None)

    def connected(self, now: float, wall: float) -> float | None:
        """Note that the subscription stands; return the length of the gap it ends, in seconds."""
        ended, lost_at = self._gap
        gap = None if lost_at is None else now - lost_at
        self._gap = (ended + (gap or 0.0), None)
        self.up, self.since, self.last_error = True, wall, None
        return gap

    def lost(self, now: float, wall: float, *, reason: str, error: str) -> None:
        """Note that the subscription broke, or could not be made (then it is no new gap)."""
        self.last_error = error
        if self.up:
            self.gaps[reason] += 1
            self._gap = (self._gap[0], now)
        if self.up or self.since is None:
            self.up, self.since = False, wall

    def gap_seconds(self, now: float) -> float:
        """Return how long the stream has been broken in all, a gap under way included."""
        ended, lost_at = self._gap
        return ended if lost_at is None else ended + max(0.0, now - lost_at)
