"""Figures as tables that read well in a terminal and in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def markdown(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return an aligned table; all columns but the first are flush right."""
    widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        shown = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        return f"| {' | '.join(shown)} |"

    rule = ["-" * widths[0], *(f"{'-' * (width - 1)}:" for width in widths[1:])]
    return "\n".join([line(headers), line(rule), *map(line, rows)])


def figure(value: float) -> str:
    """Return a number with about three figures."""
    if value == float("inf"):
        return "-"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 1 else f"{value:.1f}"


def spread(values: Sequence[float], median: float) -> str:
    """Return a median, with the least and the most if there are several."""
    if len(values) == 1:
        return f"{median:.2f}"
    return f"{median:.2f} ({min(values):.2f}-{max(values):.2f})"


def share(value: float) -> str:
    """Return a share of 1 in per cent; 100 % only for all of it."""
    if value == 1:
        return "100 %"
    return f"{min(value * 100, 99.99) if value < 1 else value * 100:.4g} %"
