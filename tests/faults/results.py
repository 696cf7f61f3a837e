"""What became of each fault, and the table that says so."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.faults.tower import INTERVAL

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable, Mapping, Sequence

HEAD = (
    "fault",
    "divided by",
    "expected",
    "received",
    "pages",
    "to firing, s",
    "delivered, s",
    "false alarms",
)
BEGIN = "<!-- Written by `make faults`. -->"
END = "<!-- Until here. -->"
# One scrape, one evaluation, and the 10 s of silence after which a worker is lost.
GOAL = 2 * INTERVAL + 10


@dataclass
class Result:
    """One fault: what should have arrived, what did; times are in seconds."""

    fault: str
    expected: tuple[str, ...]
    factor: int | None = None  # by which the rules' times were divided
    received: list[str] = field(default_factory=list)
    false_alarms: list[str] = field(default_factory=list)
    pages: int = 0
    beyond: float | None = None  # from fault to firing, less ``for`` and objective
    delivered: float | None = None  # from fault to the receiver, less the objective
    error: str | None = None

    @property
    def missing(self) -> list[str]:
        """The alerts that should have arrived, and did not."""
        return [alert for alert in self.expected if alert not in self.received]

    @property
    def faultless(self) -> bool:
        """Whether it was reported by its alerts, by no others, and by one page at most."""
        return not (self.missing or self.false_alarms or self.error or self.pages > 1)


def pages(paged: Sequence[Mapping[str, str]], *, always_scraped: bool) -> int:
    """Count pages, given the labels of each.

    A scrape that fails ends all alerts of its target: one that fires again after it is the same.
    """
    if always_scraped:
        return len(paged)
    return len({tuple(sorted(labels.items())) for labels in paged})


def median(results: Sequence[Result]) -> float | None:
    """Return the median of the seconds beyond ``for``; None when nothing fired."""
    beyond = [result.beyond for result in results if result.beyond is not None]
    return statistics.median(beyond) if beyond else None


def table(results: Sequence[Result]) -> str:
    """Return the results as a table in Markdown."""
    rows = [_row(result) for result in results]
    return "\n".join([_line(HEAD), _line(["---"] * len(HEAD)), *rows])


def summary(results: Sequence[Result]) -> str:
    """Return the figures of the whole as a list in Markdown."""
    reported = [result for result in results if result.expected]
    silent = [result for result in results if not result.expected]
    return "\n".join(
        [
            f"- Reported by the alert that names the cause: {_share(reported, _is_reported)}.",
            f"- Silent, as it should be: {_share(silent, _is_faultless)}.",
            f"- Reported by more than one page: {sum(result.pages > 1 for result in results)}.",
            f"- False alarms: {sum(len(result.false_alarms) for result in results)}.",
            f"- Median to firing: {_seconds(median(results)) or 'none'} s; goal: {GOAL} s.",
        ]
    )


def write(page: pathlib.Path, report: str) -> None:
    """Put the report between the markers of the page."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} needs the lines {BEGIN!r} and {END!r} around its table")
    page.write_text(f"{before}{begin}\n\n{report}\n\n{end}{after}")


def _is_reported(result: Result) -> bool:
    return not result.missing and not result.error


def _is_faultless(result: Result) -> bool:
    return result.faultless


def _share(results: Sequence[Result], holds: Callable[[Result], bool]) -> str:
    return f"{sum(map(holds, results))} of {len(results)}"


def _row(result: Result) -> str:
    received = ", ".join(result.received) or "none"
    return _line(
        [
            result.fault,
            str(result.factor or ""),
            ", ".join(result.expected) or "none",
            f"{received}; {result.error}" if result.error else received,
            str(result.pages),
            _seconds(result.beyond),
            _seconds(result.delivered),
            ", ".join(result.false_alarms) or "0",
        ]
    )


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{max(0.0, value):.1f}"
