"""Bounds the share of a processor that goes into what strangers have broken."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SHARE = 0.3  # of one processor, in the long run
BURST = 1.0  # seconds of it at once


class CpuBudget:
    """Seconds of processor time that may be spent, filling up as time passes.

    ``clock`` is monotonic, ``spent`` the processor time of this thread, both in seconds.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        spent: Callable[[], float] = time.thread_time,
    ) -> None:
        self._clock = clock
        self._spent = spent
        self._left = BURST
        self._filled_at = clock()
        self._began = 0.0

    def begin(self) -> bool:
        """Begin something costly; return False where there is nothing left for it."""
        now = self._clock()
        self._left = min(BURST, self._left + (now - self._filled_at) * SHARE)
        self._filled_at = now
        self._began = self._spent()
        return self._left > 0.0

    def end(self) -> None:
        """End what was begun, and pay for it."""
        self._left -= self._spent() - self._began
