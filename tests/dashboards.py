"""The shipped dashboards, and their parts, for all tests about them."""

from __future__ import annotations

import functools
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import promql_parser

from grafana import build
from grafana.preview import asking
from tests import promql

if TYPE_CHECKING:
    from collections.abc import Iterator

Dashboard = dict[str, Any]

FILES = sorted(build.DIRECTORY.glob("celery-*.json"))
WINDOW = asking.Window(start=0, end=3600, step=15, rate_interval=60)


class Asked(NamedTuple):
    """One query of a panel."""

    dashboard: Dashboard
    panel: dict[str, Any]
    target: dict[str, Any]

    def __repr__(self) -> str:
        return f"{self.dashboard['uid']}: {self.panel['title']}: {self.target['expr']}"

    @property
    def expression(self) -> str:
        """The expression, with all values chosen and numbers for Grafana's own variables."""
        return asking.Asker(url="", window=WINDOW).filled(self.target["expr"], self.dashboard)

    @property
    def as_written(self) -> str:
        """The expression with the variables still in its matchers; ranges are numbers."""
        text: str = self.target["expr"]
        for name, value in WINDOW.values.items():
            text = text.replace(f"${name}", value)
        return text


@functools.cache
def every() -> list[Dashboard]:
    """Return the dashboards as their files have them."""
    return [json.loads(file.read_text()) for file in FILES]


def named(uid: str) -> Dashboard:
    """Return the dashboard with that uid."""
    return next(one for one in every() if one["uid"] == uid)


def panels() -> Iterator[tuple[Dashboard, dict[str, Any]]]:
    """Yield every panel with its dashboard, rows left out."""
    for dashboard in every():
        for panel in asking.panels(dashboard):
            yield dashboard, panel


def panel(uid: str, title: str) -> dict[str, Any]:
    """Return the panel of that title."""
    return next(one for one in asking.panels(named(uid)) if one["title"] == title)


def asked() -> Iterator[Asked]:
    """Yield every query of every panel."""
    for dashboard, one in panels():
        for target in one["targets"]:
            yield Asked(dashboard, one, target)


def by_dashboard() -> list[list[Asked]]:
    """Return the queries of each dashboard."""
    return [[one for one in asked() if one.dashboard is dashboard] for dashboard in every()]


def whose(queries: list[Asked]) -> str:
    """Name the dashboard of its queries, for pytest."""
    return str(queries[0].dashboard["uid"])


def variables(dashboard: Dashboard) -> list[dict[str, Any]]:
    """Return the variables that are queried."""
    return [v for v in dashboard["templating"]["list"] if v["type"] == "query"]


def shows_only_faults(one: dict[str, Any]) -> bool:
    """Tell whether a panel says in words that there is no problem."""
    return "noValue" in one["fieldConfig"]["defaults"]


def reads(one: Asked) -> set[str]:
    """Return the names that a query reads."""
    return {selector.name for selector in promql.selectors(one.expression)}


def underlying(names: set[str]) -> set[str]:
    """Return the metrics that these are, or are recorded from, without histograms' endings."""
    found: set[str] = set()
    waiting = set(names)
    while waiting:
        name = waiting.pop()
        found.add(re.sub(r"(?<=_seconds)_(bucket|count|sum)$", "", name))
        drawn_from = promql.selectors(promql.records().get(name, name))
        waiting |= {selector.name for selector in drawn_from} - found - {name}
    return found


def parsed(text: str) -> Any:
    """Parse an expression; raises ValueError if it is none."""
    return promql_parser.parse(text)


def about(one: tuple[Dashboard, dict[str, Any]]) -> str:
    """Name a panel, for pytest."""
    return f"{one[0]['uid'].removeprefix('celery-')}-{one[1]['title']}"
