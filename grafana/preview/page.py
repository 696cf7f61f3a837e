"""One HTML page of a dashboard: its panels at their places, filled with what Prometheus says."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any

from grafana.preview import asking, axes, blocks, colors, fields, figures

if TYPE_CHECKING:
    from collections.abc import Mapping

WIDTH = 1440  # of the page, in pixels
_MARGIN, _GAP, _TOP = 16, 8, 64
_COLUMN = (WIDTH - 2 * _MARGIN + _GAP) / 24
_ROW = 38
_CHARTS = {"state-timeline": figures.states, "heatmap": figures.heatmap}

_STYLE = f"""
* {{ box-sizing: border-box; margin: 0; }}
body {{ background: {colors.PAGE}; color: {colors.TEXT}; width: {WIDTH}px; overflow: hidden;
  font: 13px Inter, "DejaVu Sans", sans-serif; }}
header {{ position: absolute; left: {_MARGIN}px; right: {_MARGIN}px; top: 12px; height: 40px;
  display: flex; align-items: center; gap: 10px; }}
header h1 {{ font-size: 18px; font-weight: 600; margin-right: auto; }}
header span {{ border: 1px solid {colors.EDGE}; border-radius: 3px; padding: 4px 9px;
  background: {colors.PANEL}; font-size: 12px; }}
header span b {{ color: {colors.LINK}; font-weight: 500; margin-right: 7px; }}
section {{ position: absolute; background: {colors.PANEL}; border: 1px solid {colors.EDGE};
  border-radius: 4px; overflow: hidden; display: flex; flex-direction: column; }}
section h2 {{ font-size: 13px; font-weight: 600; padding: 9px 11px 5px; white-space: nowrap; }}
section main {{ flex: 1; min-height: 0; position: relative; }}
.question {{ position: absolute; font-size: 15px; font-weight: 600; padding-top: 9px; }}
.question::before {{ content: "⌄"; color: {colors.FAINT}; margin-right: 8px; }}
.number {{ position: absolute; inset: 0 0 14px; display: flex; align-items: center;
  justify-content: center; font-size: 33px; font-weight: 600; }}
.curve {{ position: absolute; left: 0; bottom: 0; width: 100%; height: 46%; }}
.legend {{ padding: 0 11px 7px; font-size: 11.5px; color: {colors.FAINT}; line-height: 17px;
  max-height: 59px; overflow: hidden; }}
.legend span {{ display: inline-block; margin-right: 13px; white-space: nowrap; }}
.legend i {{ display: inline-block; width: 13px; height: 3.5px; border-radius: 2px;
  margin-right: 5px; vertical-align: 3px; }}
.chart {{ position: absolute; inset: 0 4px 0 8px; }}
.empty {{ position: absolute; inset: 0 0 18px; display: flex; align-items: center;
  justify-content: center; color: {colors.FAINT}; font-size: 14px; }}
table {{ width: 100%; border-collapse: collapse; font-size: 12.5px; table-layout: fixed; }}
th, td {{ text-align: left; padding: 0 11px; height: 30px; white-space: nowrap;
  overflow: hidden; text-overflow: ellipsis; border-bottom: 1px solid {colors.EDGE}; }}
th {{ color: {colors.LINK}; font-weight: 500; }}
td.link {{ color: {colors.LINK}; }}
.bar {{ display: flex; align-items: center; gap: 10px; width: 100%; }}
.bar span {{ width: 34%; text-align: right; overflow: hidden; text-overflow: ellipsis; }}
.bar i {{ flex: 1; height: 15px; background: rgba(204,204,220,0.07); border-radius: 2px; }}
.bar b {{ display: block; height: 100%; border-radius: 2px; opacity: 0.85; }}
.bar em {{ font-style: normal; font-weight: 600; min-width: 46px; text-align: right; }}
.bars {{ position: absolute; inset: 4px 12px 12px; display: flex; flex-direction: column;
  justify-content: space-evenly; }}
.bars .bar i {{ height: 26px; }}
"""


def height(dashboard: Mapping[str, Any]) -> int:
    """Return the height of the page in pixels."""
    bottom = max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in dashboard["panels"])
    return int(_TOP + bottom * _ROW + _MARGIN)


def page(dashboard: Mapping[str, Any], asker: asking.Asker, script: str) -> str:
    """Return the page; ``script`` is where the browser finds Plotly."""
    marks = _marks(dashboard, asker)
    boxes = []
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            boxes.append(
                f'<div class="question" style="{_place(panel)}">{html.escape(panel["title"])}</div>'
            )
        else:
            title = html.escape(panel["title"])
            inside = _inside(panel, dashboard, asker, marks)
            boxes.append(f'<section style="{_place(panel)}"><h2>{title}</h2>{inside}</section>')
    return (
        f'<!doctype html><meta charset="utf-8"><title>{html.escape(dashboard["title"])}</title>'
        f'<style>{_STYLE}</style><script src="{script}"></script>'
        f'<body style="height:{height(dashboard)}px">{_header(dashboard)}{"".join(boxes)}</body>'
    )


def _header(dashboard: Mapping[str, Any]) -> str:
    shown = [v for v in dashboard["templating"]["list"] if v["type"] == "query"]
    chosen = "".join(f"<span><b>{v['label']}</b>{v['current']['text']}</span>" for v in shown)
    return f"<header><h1>{html.escape(dashboard['title'])}</h1>{chosen}</header>"


def _place(panel: Mapping[str, Any]) -> str:
    at = panel["gridPos"]
    left, top = _MARGIN + at["x"] * _COLUMN, _TOP + at["y"] * _ROW
    return (
        f"left:{left:.0f}px;top:{top}px;width:{at['w'] * _COLUMN - _GAP:.0f}px;"
        f"height:{at['h'] * _ROW - _GAP}px"
    )


def _inside(
    panel: Mapping[str, Any],
    dashboard: Mapping[str, Any],
    asker: asking.Asker,
    marks: list[figures.Mark],
) -> str:
    answered = asking.answers(asker, panel, dashboard)
    if panel["type"] == "table":
        return f"<main>{blocks.table(panel, answered)}</main>"
    lines = fields.lines(panel, answered)
    if not lines:
        return f"<main>{blocks.empty(panel)}</main>"
    if panel["type"] == "stat":
        return f"<main>{blocks.number(panel, lines)}</main>"
    if panel["type"] == "bargauge":
        return f"<main>{blocks.bars(panel, lines)}</main>"
    if panel["type"] == "timeseries":
        figure, legend = figures.series(panel, lines, asker.window, marks)
    else:
        figure, legend = _CHARTS[panel["type"]](panel, lines, asker.window)
    return _chart(panel["id"], figure, legend)


def _chart(number: int, figure: figures.Figure, legend: list[tuple[str, str]]) -> str:
    names = "".join(
        f'<span><i style="background:{color}"></i>{html.escape(figures.trimmed(name))}</span>'
        for name, color in legend
    )
    drawn = json.dumps(figure).replace("</", "<\\/")
    return (
        f'<main><div class="chart" id="chart-{number}"></div></main>'
        f'<div class="legend">{names}</div>'
        f'<script>(() => {{ const f = {drawn}; Plotly.newPlot("chart-{number}", f.data, f.layout, '
        "{displayModeBar: false, responsive: true, staticPlot: true}); })();</script>"
    )


def _marks(dashboard: Mapping[str, Any], asker: asking.Asker) -> list[figures.Mark]:
    found = []
    for annotation in dashboard["annotations"]["list"]:
        color = colors.hue(annotation["iconColor"])
        for series in asker.over_time(asker.filled(annotation["expr"], dashboard)):
            same = [(when, 1.0) for when, _ in series.points]
            stretches = axes.runs(same, asker.window.step)
            found += [figures.Mark(start, color) for start, _, _ in stretches]
    return found
