"""Places that change hands have an end too: each new name is a new series in somebody's storage."""

from __future__ import annotations

HOUR = 3600.0  # seconds
LEAST = 1000  # in an hour, however low the limit is


class LabelTurnover:
    """How many may give up their places: in an hour as many as there are places, or LEAST.

    ``forgotten`` counts those that did.
    """

    __slots__ = ("_left", "_most", "_since", "forgotten")

    def __init__(self, limit: int) -> None:
        self.forgotten = 0
        self._most = float(max(limit, LEAST))
        self._left = self._most
        self._since = 0.0  # monotonic

    def take(self, now: float) -> bool:
        """Tell whether one more may go at monotonic ``now``, and count it."""
        earned = max(0.0, now - self._since) * self._most / HOUR
        self._left, self._since = min(self._most, self._left + earned), now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        self.forgotten += 1
        return True
