"""Panels that are text and boxes rather than charts: numbers, tables and bar gauges, as HTML."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING, Any

from grafana.preview import colors, fields, units

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from grafana.preview import asking

Row = dict[str, str | float]


def number(panel: Mapping[str, Any], lines: Sequence[fields.Line]) -> str:
    """Return the latest value, coloured, above a faint curve of how it came there."""
    points = [point for line in lines[:1] for point in line.series.points]
    if not points:
        return empty(panel)
    defaults = panel["fieldConfig"]["defaults"]
    value = points[-1][1]
    known = colors.mapped(value, defaults.get("mappings", []))
    written = known[0] if known else units.text(value, defaults["unit"])
    color = known[1] if known else colors.by_steps(value, defaults["thresholds"]["steps"])
    curve = _curve([v for _, v in points if not math.isnan(v)] or [0.0], color)
    return f'{curve}<div class="number" style="color:{color}">{html.escape(written)}</div>'


def _curve(values: Sequence[float], color: str) -> str:
    top, bottom = max(values), min(0.0, *values)
    height = (top - bottom) or 1.0
    width = max(len(values) - 1, 1)
    spots = [
        f"{100 * n / width:.2f},{40 - 36 * (value - bottom) / height:.2f}"
        for n, value in enumerate(values)
    ]
    line = " ".join(spots)
    return (
        '<svg class="curve" viewBox="0 0 100 40" preserveAspectRatio="none">'
        f'<polygon points="0,40 {line} 100,40" fill="{color}" opacity="0.14"/>'
        f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="1.4" '
        'vector-effect="non-scaling-stroke"/></svg>'
    )


def bars(panel: Mapping[str, Any], lines: Sequence[fields.Line]) -> str:
    """Return a bar for the latest value of each series."""
    defaults = panel["fieldConfig"]["defaults"]
    latest = [(line.name, line.series.points[-1][1]) for line in lines if line.series.points]
    if not latest:
        return empty(panel)
    most = defaults.get("max") or max(value for _, value in latest) or 1
    rows = []
    for name, value in latest:
        color = colors.by_steps(value, defaults["thresholds"]["steps"])
        share = min(100.0, 100 * value / most)
        rows.append(
            f'<div class="bar"><span>{html.escape(name)}</span>'
            f'<i><b style="width:{share:.1f}%;background:{color}"></b></i>'
            f'<em style="color:{color}">{units.text(value, defaults["unit"])}</em></div>'
        )
    return f'<div class="bars">{"".join(rows)}</div>'


def table(panel: Mapping[str, Any], answered: Sequence[Sequence[asking.Series]]) -> str:
    """Return the rows that the queries yield, joined, renamed and sorted as the JSON says."""
    rows = joined(answered)
    if not rows:
        return empty(panel)
    organized = panel["transformations"][-1]["options"]
    titles: dict[str, str] = organized["renameByName"]
    order = sorted(titles, key=organized["indexByName"].__getitem__)
    here = [name for name in order if any(name in row for row in rows)]
    first = panel["options"]["sortBy"][0]["displayName"]
    by = next(name for name, title in titles.items() if title == first)
    rows.sort(key=lambda row: (isinstance(row.get(by), str), row.get(by, 0)), reverse=True)
    most = {name: max(_number(row.get(name)) for row in rows) for name in here}
    head = "".join(f"<th{_width(panel, titles[n])}>{html.escape(titles[n])}</th>" for n in here)
    body = "".join(
        "<tr>" + "".join(_cell(panel, titles[n], row.get(n), most[n]) for n in here) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def joined(answered: Sequence[Sequence[asking.Series]]) -> list[Row]:
    """Merge the rows of several queries where the labels that they share are the same."""
    rows: list[Row] = []
    for index, group in enumerate(answered):
        value = "Value" if len(answered) == 1 else f"Value #{chr(ord('A') + index)}"
        for series in group:
            new: Row = {**series.labels, value: series.points[-1][1]}
            for row in rows:
                shared = row.keys() & new.keys()
                if shared and value not in row and all(row[key] == new[key] for key in shared):
                    row.update(new)
                    break
            else:
                rows.append(new)
    return rows


def _number(value: str | float | None) -> float:
    return value if isinstance(value, float) and not math.isnan(value) else 0.0


def _width(panel: Mapping[str, Any], title: str) -> str:
    width = fields.settings(panel, title).get("custom.width")
    return f' style="width:{width}px"' if width else ""


def _cell(panel: Mapping[str, Any], title: str, value: str | float | None, most: float) -> str:
    if value is None:
        return "<td></td>"
    own = fields.settings(panel, title)
    if isinstance(value, str):
        known = colors.mapped_text(value, own.get("mappings", []))
        written = html.escape(known[0] if known else value)
        style = f' style="color:{known[1]}"' if known else ""
        return f'<td class="{"link" if own.get("links") else ""}"{style}>{written}</td>'
    known = colors.mapped(value, own.get("mappings", []))
    written = known[0] if known else units.text(value, own["unit"], own.get("decimals"))
    color = known[1] if known else colors.TEXT
    if own.get("color", {}).get("mode") == "thresholds" and not known:
        color = colors.by_steps(value, own["thresholds"]["steps"])
    if own.get("custom.cellOptions", {}).get("type") == "gauge":
        share = 100 * value / (most or 1)
        return (
            f'<td><div class="bar"><i><b style="width:{share:.1f}%;background:{color}"></b></i>'
            f'<em style="color:{color}">{written}</em></div></td>'
        )
    return f'<td class="value" style="color:{color}">{html.escape(written)}</td>'


def empty(panel: Mapping[str, Any]) -> str:
    """Return what stands in a panel without data."""
    said = panel["fieldConfig"]["defaults"].get("noValue", "No data")
    return f'<div class="empty">{html.escape(said)}</div>'
