"""Bounds how often one thing is logged: strangers could else fill the disk with our log."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

INTERVAL = 60.0  # seconds between two lines of one reason
MOST_REASONS = 1_000  # told apart; those beyond share one, for texts have no end
_OTHER = ""


class LogLimit:
    """Lets one line a minute pass for each reason; used by one thread, or under a lock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next: dict[str, float] = {}
        self._suppressed: dict[str, int] = {}

    def admit(self, reason: str) -> dict[str, int] | None:
        """Return keys to log with the line, None where it is not to be logged.

        ``suppressed`` is how many lines of this reason were not logged since the last that was.
        """
        if reason not in self._next and len(self._next) >= MOST_REASONS:
            reason = _OTHER
        now = self._clock()
        if now < self._next.get(reason, now):
            self._suppressed[reason] = self._suppressed.get(reason, 0) + 1
            return None
        self._next[reason] = now + INTERVAL
        suppressed = self._suppressed.pop(reason, 0)
        return {"suppressed": suppressed} if suppressed else {}
