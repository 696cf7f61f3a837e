"""What became of each fault, and the table that says so."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class Result:
    """One fault: what should have arrived, what did; times are in seconds."""

    fault: str
    expected: tuple[str, ...]
    received: list[str] = field(default_factory=list)
    false_alarms: list[str] = field(default_factory=list)
    pages: int = 0
    beyond: float | None = None  # from fault to firing, less ``for`` and objective
    delivered: float | None = None  # from fault to the receiver, with all
    error: str | None = None

    @property
    def missing(self) -> list[str]:
        """The alerts that should have arrived, and did not."""
        return [alert for alert in self.expected if alert not in self.received]

    @property
    def faultless(self) -> bool:
        """Whether it was reported by its alerts, by no others, and by one page at most."""
        return not (self.missing or self.false_alarms or self.error or self.pages > 1)


def median(results: Sequence[Result]) -> float | None:
    """Return the median of the seconds beyond ``for``; None when nothing fired."""
    beyond = [result.beyond for result in results if result.beyond is not None]
    return statistics.median(beyond) if beyond else None


def table(results: Sequence[Result]) -> str:
    """Return the results as a table in Markdown."""
    lines = [
        "| fault | expected | received | to firing, s | delivered, s | false alarms |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [_row(result) for result in results]
    return "\n".join(lines)


def _row(result: Result) -> str:
    cells = [
        result.fault,
        ", ".join(result.expected) or "none",
        ", ".join(result.received) or "none",
        _seconds(result.beyond),
        _seconds(result.delivered),
        ", ".join(result.false_alarms) or "0",
    ]
    if result.error:
        cells[2] = f"{cells[2]}; {result.error}"
    return f"| {' | '.join(cells)} |"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{max(0.0, value):.1f}"
