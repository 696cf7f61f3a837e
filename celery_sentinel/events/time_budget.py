"""Bounds the share of the receiver's time that goes into what strangers broke or packed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SHARE = 0.3  # of the receiver's time, in the long run
BURST = 1.0  # seconds of it at once; also the deepest debt


class CpuBudget:
    """Seconds that may be spent, filling up as time passes.

    ``clock`` is monotonic, in seconds, and none of the processor's: where others have most of that,
    a budget of its time never ends, and workers are silent to us for as long as the work takes.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left = BURST
        self._began = clock()

    def begin(self) -> bool:
        """Begin something costly; return False where there is nothing left for it."""
        now = self._clock()
        self._left = min(BURST, self._left + (now - self._began) * SHARE)
        self._began = now
        return self._left > 0.0

    def end(self) -> None:
        """End what was begun, and pay for it; a process that was frozen meanwhile pays no more."""
        self.charge(self._clock() - self._began)

    def charge(self, seconds: float) -> None:
        """Pay for what is still to come of it."""
        self._left = max(-BURST, self._left - seconds)
