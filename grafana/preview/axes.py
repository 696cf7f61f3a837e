"""Axes with round ticks in the panel's unit, linear or logarithmic."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from grafana.preview import colors, units

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_TICKS = 5
_MOST_DECADES = 7


class Scale:
    """Maps values to the height they are drawn at; ``kind`` is linear, log or symlog."""

    def __init__(self, kind: str, values: Sequence[float]) -> None:
        self._kind = kind
        self._top = max(values, default=1.0) or 1.0
        self._least = min((v for v in values if v > 0), default=self._top)

    @property
    def floor(self) -> str:
        """What a line is filled down to: 0, which a logarithm does not have."""
        return "none" if self._kind == "log" else "tozeroy"

    def height(self, value: float) -> float | None:
        """Return where a value is drawn; None for a hole."""
        if math.isnan(value) or math.isinf(value):
            return None
        if self._kind == "symlog":
            return math.log10(1 + max(value, 0))
        if self._kind == "log":
            return math.log10(value) if value > 0 else None
        return value

    def axis(self, unit: str) -> dict[str, Any]:
        """Return the axis as Plotly takes it."""
        at = [(value, self.height(value)) for value in self._ticks(units.base(unit))]
        bottom = 0.0 if self._kind != "log" else math.floor(math.log10(self._least))
        top = self.height(self._top) or 0.0
        return {
            "tickvals": [height for _, height in at],
            "ticktext": [f"{units.text(value, unit)} " for value, _ in at],
            "range": [bottom, top + (top - bottom) * 0.08 or 1.0],
            "gridcolor": colors.GRID,
            "zeroline": False,
            "fixedrange": True,
        }

    def _ticks(self, base: int) -> list[float]:
        if self._kind == "linear":
            step = _round_step(self._top / _TICKS, base)
            return [step * n for n in range(math.floor(self._top / step * 1.05) + 1)]
        low = math.floor(math.log10(self._least)) if self._kind == "log" else 0
        high = math.ceil(math.log10(self._top)) if self._top > 1 else 0
        every = 1 + (high - low) // _MOST_DECADES
        powers = [10.0**n for n in range(low, high + 1, every)]
        return powers if self._kind == "log" else [0.0, *powers]


def _round_step(rough: float, base: int) -> float:
    # Of bytes, 20 MiB is round and 20 MB is not.
    whole = float(base) ** math.floor(math.log(rough, base))
    size = whole * 10.0 ** math.floor(math.log10(rough / whole))
    return next(size * n for n in (1, 2, 5, 10) if size * n >= rough)


def with_holes(
    points: Sequence[tuple[float, float]], step: float, height: Callable[[float], float | None]
) -> tuple[list[float | None], list[float | None]]:
    """Return times in milliseconds and heights, with a hole where a point is missing."""
    times: list[float | None] = []
    heights: list[float | None] = []
    before = None
    for when, value in points:
        if before is not None and when - before > 1.5 * step:
            times.append((before + step) * 1000)
            heights.append(None)
        times.append(when * 1000)
        heights.append(height(value))
        before = when
    return times, heights


def runs(points: Sequence[tuple[float, float]], step: float) -> list[tuple[float, float, float]]:
    """Return (start, end, value) of the stretches in which a value stays the same."""
    found: list[tuple[float, float, float]] = []
    for when, value in points:
        if found and found[-1][2] == value and when - found[-1][1] <= 0.5 * step:
            found[-1] = (found[-1][0], when + step, value)
        else:
            found.append((when, when + step, value))
    return found
