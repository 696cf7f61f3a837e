"""What is known about our own connection: whether it stands, its gaps, what it refused."""

from __future__ import annotations

from collections import Counter
from typing import Literal, get_args

Reason = Literal["error", "watchdog", "slow_consumer", "resubscribed"]
REASONS: tuple[Reason, ...] = get_args(Reason)


class Stream:
    """State of the event stream; written by the receiver and the poller, read by all.

    ``since`` is epoch seconds of the last change of ``up``; a gap runs from the loss of a
    standing subscription to the next one, so a broker that was never reached is no gap.
    """

    def __init__(self, *, transport: str, url: str) -> None:
        self.transport = transport
        self.url = url
        self.up = False
        self.since: float | None = None
        self.last_error: str | None = None
        self.gaps: Counter[str] = Counter(dict.fromkeys(REASONS, 0))
        self.rejected: Counter[str] = Counter()
        self.salvaged: Counter[str] = Counter()
        self.control: Counter[str] = Counter(asked=0, failed=0)
        self.failures: Counter[str] = Counter()
        self._closed_gaps = 0.0
        self._lost_at: float | None = None

    def connected(self, now: float, wall: float) -> float | None:
        """Note that the subscription stands; return the length of the gap it ends, in seconds."""
        gap = None if self._lost_at is None else now - self._lost_at
        self._closed_gaps += gap or 0.0
        self._lost_at = None
        self.up, self.since, self.last_error = True, wall, None
        return gap

    def lost(self, now: float, wall: float, *, reason: str, error: str) -> None:
        """Note that the subscription broke, or could not be made (then it is no new gap)."""
        self.last_error = error
        if self.up:
            self.gaps[reason] += 1
            self._lost_at = now
        if self.up or self.since is None:
            self.up, self.since = False, wall

    def gap_seconds(self, now: float) -> float:
        """Return how long the stream has been broken in all, a gap under way included."""
        return self._closed_gaps + (0.0 if self._lost_at is None else now - self._lost_at)
