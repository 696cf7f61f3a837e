"""Asks Prometheus what Grafana would ask for a dashboard: variables, panels, annotations."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SECONDS = 20.0
_LABEL_VALUES = re.compile(r"label_values\((.+), *(\w+)\)")
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)(?::\w+)?\}|([A-Za-z_]\w*))")
ALL = ".+"


class Series(NamedTuple):
    """Labels, and pairs of time (epoch seconds) and value."""

    labels: dict[str, str]
    points: list[tuple[float, float]]


class UnknownVariableError(Exception):
    """An expression speaks of a variable that the dashboard does not have."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """What is looked at: epoch seconds, and how far points are apart."""

    start: float
    end: float
    step: int
    rate_interval: int

    @property
    def values(self) -> dict[str, str]:
        """What Grafana puts in for its own variables."""
        return {
            "__rate_interval": f"{self.rate_interval}s",
            "__interval": f"{self.step}s",
            "__range": f"{max(1, round(self.end - self.start))}s",
        }


@dataclass(frozen=True, kw_only=True)
class Asker:
    """Asks the Prometheus at ``url``; ``chosen`` are values of variables, all of them if absent."""

    url: str
    window: Window
    chosen: Mapping[str, str] = field(default_factory=dict)

    def filled(self, text: str, dashboard: Mapping[str, Any]) -> str:
        """Put the values of variables into an expression; raises UnknownVariableError."""
        known = {variable["name"] for variable in dashboard["templating"]["list"]}

        def value(found: re.Match[str]) -> str:
            name = found[1] or found[2]
            if name in self.window.values:
                return self.window.values[name]
            if name not in known:
                raise UnknownVariableError(f"${name} in {text}")
            return _escaped(self.chosen[name]) if name in self.chosen else ALL

        return _VARIABLE.sub(value, text)

    def over_time(self, expr: str) -> list[Series]:
        """Return what a panel that draws over time is given."""
        window = self.window
        found = self._result(
            "query_range",
            query=expr,
            start=str(window.start),
            end=str(window.end),
            step=str(window.step),
        )
        return [Series(one["metric"], _numbers(one["values"])) for one in found]

    def at_the_end(self, expr: str) -> list[Series]:
        """Return what a table is given: one point for each series."""
        found = self._result("query", query=expr, time=str(self.window.end))
        return [Series(one["metric"], _numbers([one["value"]])) for one in found]

    def choices(self, variable: Mapping[str, Any], dashboard: Mapping[str, Any]) -> list[str]:
        """Return the values that a variable offers."""
        found = _LABEL_VALUES.fullmatch(variable["query"])
        if found is None:
            raise UnknownVariableError(f"{variable['query']} is no label_values(metric, label)")
        selector, label = found.groups()
        values = self._get(
            f"label/{label}/values",
            **{"match[]": self.filled(selector, dashboard)},
            start=str(self.window.start),
            end=str(self.window.end),
        )
        return sorted(values)

    def _result(self, path: str, **parameters: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._get(path, **parameters)["result"]
        return found

    def _get(self, path: str, **parameters: str) -> Any:
        body = _client().get(f"{self.url}/api/v1/{path}", params=parameters).json()
        if body["status"] != "success":
            raise ValueError(f"{body['error']} in {parameters}")
        return body["data"]


@functools.cache
def _client() -> httpx.Client:
    return httpx.Client(timeout=_SECONDS, trust_env=False)


def _escaped(value: str) -> str:
    """Return a value as a regular expression within a string of PromQL, as Grafana writes it."""
    return re.escape(value).replace("\\", "\\\\")


def panels(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the panels, without the rows that head them."""
    yield from (panel for panel in dashboard["panels"] if panel["type"] != "row")


def answers(
    asker: Asker, panel: Mapping[str, Any], dashboard: Mapping[str, Any]
) -> list[list[Series]]:
    """Return what each query of a panel yields."""
    found = []
    for target in panel["targets"]:
        expr = asker.filled(target["expr"], dashboard)
        found.append(asker.at_the_end(expr) if target.get("instant") else asker.over_time(expr))
    return found


def _numbers(points: list[list[Any]]) -> list[tuple[float, float]]:
    return [(float(when), float(value)) for when, value in points]
