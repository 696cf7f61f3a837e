"""Charts over time as Plotly's data and layout: series, states and heatmaps."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from grafana.preview import axes, colors, fields, units

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from grafana.preview import asking

Figure = dict[str, Any]
_TURBO = [
    [0.0, "#23171b"], [0.05, "#3b3a8f"], [0.15, "#4860e6"], [0.3, "#2aabee"], [0.45, "#2ee5ae"],
    [0.6, "#95fb51"], [0.75, "#fdd140"], [0.9, "#f8721c"], [1.0, "#b11901"],
]  # fmt: skip


class Mark(NamedTuple):
    """A time at which an annotation begins (epoch seconds)."""

    start: float
    color: str


def series(
    panel: Mapping[str, Any],
    lines: Sequence[fields.Line],
    window: asking.Window,
    marks: Sequence[Mark],
) -> tuple[Figure, list[tuple[str, str]]]:
    """Return a figure of lines or stacked bars, and its legend: names with colours."""
    kind = panel["fieldConfig"]["defaults"]["custom"].get("scaleDistribution", {})
    own = [fields.settings(panel, line.name) for line in lines]
    scale = axes.Scale(kind.get("type", "linear"), _reach(lines, own))
    data, legend = [], []
    for index, (line, setting) in enumerate(zip(lines, own, strict=True)):
        color = _color(setting, index)
        legend.append((line.name, color))
        data.append(_trace(line, setting, color, scale, window))
    unit = panel["fieldConfig"]["defaults"]["unit"]
    layout = _layout(window, scale.axis(unit)) | {"barmode": "stack", "bargap": 0.15}
    return {"data": data, "layout": layout | {"shapes": _shapes(marks, window)}}, legend


def _reach(lines: Sequence[fields.Line], own: Sequence[Mapping[str, Any]]) -> list[float]:
    """Return values that have to fit: stacked ones are added up for each time."""
    sums: dict[float, float] = {}
    found = []
    for line, setting in zip(lines, own, strict=True):
        for when, value in line.series.points:
            if not math.isfinite(value):
                continue
            if setting.get("custom.stacking", {}).get("mode") == "normal":
                sums[when] = sums.get(when, 0) + value
            else:
                found.append(value)
    return [*found, *sums.values()]


def _color(setting: Mapping[str, Any], index: int) -> str:
    color = setting["color"]
    return colors.hue(color["fixedColor"]) if color["mode"] == "fixed" else colors.place(index)


def _trace(
    line: fields.Line,
    setting: Mapping[str, Any],
    color: str,
    scale: axes.Scale,
    window: asking.Window,
) -> Figure:
    times, heights = axes.with_holes(line.series.points, window.step, scale.height)
    if setting.get("custom.drawStyle") == "bars":
        return {"type": "bar", "x": times, "y": heights, "marker": {"color": color}}
    dashed = setting.get("custom.lineStyle", {}).get("fill") == "dash"
    trace: Figure = {
        "type": "scatter",
        "mode": "lines",
        "x": times,
        "y": heights,
        "line": {
            "color": color,
            "width": 1.4 if dashed else 1.8,
            "dash": "dash" if dashed else "solid",
        },
    }
    if not dashed:
        trace |= {"fill": scale.floor, "fillcolor": _faint(color, 0.06)}
    return trace


def _faint(color: str, opacity: float) -> str:
    red, green, blue = (int(color[n : n + 2], 16) for n in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def states(
    panel: Mapping[str, Any], lines: Sequence[fields.Line], window: asking.Window
) -> tuple[Figure, list[tuple[str, str]]]:
    """Return a figure with a bar for each series, coloured by its state, and the legend."""
    mappings = panel["fieldConfig"]["defaults"]["mappings"]
    data: list[Figure] = []
    legend: dict[str, str] = {}
    for line in lines:
        for start, end, value in axes.runs(line.series.points, window.step):
            word, color = colors.mapped(value, mappings) or (f"{value:g}", colors.TEXT)
            legend[word] = color
            data.append(
                {
                    "type": "bar",
                    "orientation": "h",
                    "y": [f"{line.name}  "],
                    "x": [(end - start) * 1000],
                    "base": [start * 1000],
                    "marker": {"color": _faint(color, 0.8)},
                    "width": 0.72,
                }
            )
    names = [f"{line.name}  " for line in lines]
    rows = {"categoryorder": "array", "categoryarray": names[::-1], "fixedrange": True}
    layout = _layout(window, rows | {"showgrid": False}) | {"barmode": "overlay"}
    return {"data": data, "layout": layout}, sorted(legend.items())


def heatmap(
    panel: Mapping[str, Any], lines: Sequence[fields.Line], window: asking.Window
) -> tuple[Figure, list[tuple[str, str]]]:
    """Return a figure of how many runs fell into each bucket; buckets come added up."""
    bounds = sorted((line for line in lines), key=lambda line: float(line.name))
    times = sorted({when for line in bounds for when, _ in line.series.points})
    rows, before = [], dict.fromkeys(times, 0.0)
    for line in bounds:
        summed = before | dict(line.series.points)
        rows.append([max(summed[t] - before[t], 0) or None for t in times])
        before = summed
    most = max((value or 0 for row in rows for value in row), default=1) or 1
    exponent = panel["options"]["color"]["exponent"]
    shown = [[None if v is None else (v / most) ** exponent for v in row] for row in rows]
    unit = panel["options"]["yAxis"]["unit"]
    data = {
        "type": "heatmap",
        "x": [when * 1000 for when in times],
        "y": list(range(len(bounds))),
        "z": shown,
        "colorscale": _TURBO,
        "zmin": 0,
        "zmax": 1,
        "xgap": 1,
        "ygap": 1,
        "showscale": False,
    }
    every = max(1, len(bounds) // 8)
    at = [n for n in range(len(bounds)) if n % every == 0]
    ticks = ["+Inf" if bounds[n].name == "+Inf" else _bound(bounds[n].name, unit) for n in at]
    axis = {"tickvals": at, "ticktext": ticks, "showgrid": False, "fixedrange": True}
    return {"data": [data], "layout": _layout(window, axis | {"zeroline": False})}, []


def _bound(text: str, unit: str) -> str:
    return f"≤ {units.text(float(text), unit)}"


def _layout(window: asking.Window, vertical: Figure) -> Figure:
    return {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": colors.FAINT, "size": 11, "family": "Inter, DejaVu Sans, sans-serif"},
        "margin": {"l": 8, "r": 12, "t": 4, "b": 8},
        "showlegend": False,
        "xaxis": {
            "type": "date",
            "range": [window.start * 1000, window.end * 1000],
            "tickformat": "%H:%M",
            "nticks": 8,
            # Below the 0 of the other axis, not through it.
            "ticks": "outside",
            "ticklen": 6,
            "tickcolor": "rgba(0,0,0,0)",
            "gridcolor": colors.GRID,
            "zeroline": False,
            "automargin": True,
            "fixedrange": True,
        },
        "yaxis": vertical | {"automargin": True},
    }


def _shapes(marks: Sequence[Mark], window: asking.Window) -> list[Figure]:
    shapes = []
    for mark in marks:
        start = max(mark.start, window.start) * 1000
        shapes.append(
            {
                "type": "line",
                "xref": "x",
                "yref": "paper",
                "x0": start,
                "x1": start,
                "y0": 0,
                "y1": 1,
                "layer": "below",
                "line": {"color": _faint(mark.color, 0.55), "width": 1, "dash": "dot"},
            }
        )
    return shapes


def trimmed(legend: str) -> str:
    """Return a legend as it is shown, without what stands for nothing."""
    return re.sub(r"[:,]\s*$", "", legend)
