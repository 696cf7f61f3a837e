"""What a stranger's clock says is a time only within a day of our own."""

from __future__ import annotations

import math

DAY = 86_400.0  # seconds; clocks that differ by more are not set at all


def sane(stamp: float, wall: float) -> float | None:
    """Return the time in an event, None for what is none; both are epoch seconds."""
    return stamp if stamp > 0 and abs(stamp - wall) <= DAY else None


def latest(wall: float) -> float:
    """Return the latest moment that a clock can tell which is set at all; 0 is no time of ours."""
    return wall + DAY if wall else math.inf
