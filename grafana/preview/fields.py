"""What a panel's JSON says of a series or a column: defaults, and overrides that match its name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from grafana.preview import asking

_LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")


class Line(NamedTuple):
    """A series under the name that its legend shows."""

    name: str
    series: asking.Series


def lines(panel: Mapping[str, Any], answered: Sequence[Sequence[asking.Series]]) -> list[Line]:
    """Name the series of all queries of a panel."""
    return [
        Line(_name(target["legendFormat"], series.labels), series)
        for target, group in zip(panel["targets"], answered, strict=True)
        for series in group
    ]


def _name(legend: str, labels: Mapping[str, str]) -> str:
    if legend == "__auto":
        return ", ".join(labels.values()) or "Value"
    return _LABEL.sub(lambda found: labels.get(found[1], ""), legend).strip()


def settings(panel: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return what holds for a field: ``unit``, ``color``, ``custom.…`` and the like."""
    defaults = panel["fieldConfig"]["defaults"]
    found = {key: value for key, value in defaults.items() if key != "custom"}
    found |= {f"custom.{key}": value for key, value in defaults.get("custom", {}).items()}
    for override in panel["fieldConfig"]["overrides"]:
        if _matches(override["matcher"], name):
            found |= {one["id"]: one["value"] for one in override["properties"]}
    return found


def _matches(matcher: Mapping[str, Any], name: str) -> bool:
    if matcher["id"] == "byName":
        return bool(matcher["options"] == name)
    if matcher["id"] == "byRegexp":
        return re.search(matcher["options"].strip("/"), name) is not None
    raise ValueError(f"the preview knows no matcher {matcher['id']}")
