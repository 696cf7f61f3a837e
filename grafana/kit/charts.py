"""Panels that are read at a glance: numbers, lines and bars over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import bargauge, common, stat, timeseries
from grafana_foundation_sdk.models import common as model

from grafana.kit import style, targets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grafana_foundation_sdk.builders.dashboard import DashboardLink

STAT_HEIGHT = 4
CHART_HEIGHT = 8


def number(
    title: str,
    description: str,
    expr: str,
    *,
    unit: str,
    steps: style.Steps = style.NEUTRAL,
    words: dict[str, tuple[str, str]] | None = None,
    link: DashboardLink | None = None,
    span: int = 4,
) -> stat.Panel:
    """Show the latest value of one series, coloured by ``steps``; ``words`` replace values.

    NaN stands in where nothing is known: Grafana would show the last value that there was,
    however old, and a daemon that is gone would look healthy.
    """
    last = common.ReduceDataOptions().calcs(["last"]).values(False).fields("")
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(style.DATASOURCE)
        .targets(targets.over_time([targets.Target(f"{expr} or vector(NaN)")]))
        .unit(unit)
        .mappings([*([style.mapping(words)] if words else []), style.unknown()])
        .thresholds(style.thresholds(steps))
        .color_scheme(style.by_threshold())
        .color_mode(model.BigValueColorMode.VALUE)
        .graph_mode(model.BigValueGraphMode.AREA)
        .text_mode(model.BigValueTextMode.VALUE)
        .reduce_options(last)
        .span(span)
        .height(STAT_HEIGHT)
    )
    if link:
        panel.data_links([link])
    return panel


def lines(
    title: str,
    description: str,
    asked: Sequence[targets.Target],
    *,
    unit: str,
    link: DashboardLink | None = None,
    scale: model.ScaleDistribution = model.ScaleDistribution.LINEAR,
    stacked: bool = False,
    colors: dict[str, str] | None = None,
    no_problem: str | None = None,
    span: int = 12,
) -> timeseries.Panel:
    """Draw series over time, stacked as bars if asked to; limits are dashed.

    ``no_problem`` is what stands there when nothing does, for panels that show only faults;
    ``colors`` are for the series that have a meaning of their own, by a regular expression.
    """
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(style.DATASOURCE)
        .targets(targets.over_time(asked))
        .unit(unit)
        .min(0)
        .color_scheme(style.by_place())
        .line_width(2)
        .fill_opacity(8)
        .show_points(model.VisibilityMode.NEVER)
        .line_interpolation(model.LineInterpolation.LINEAR)
        .legend(_legend())
        .tooltip(_tooltip())
        .span(span)
        .height(CHART_HEIGHT)
    )
    if stacked:
        normal = common.StackingConfig().mode(model.StackingMode.NORMAL).group("A")
        panel.stacking(normal).draw_style(model.GraphDrawStyle.BARS).fill_opacity(80).line_width(0)
    if scale != model.ScaleDistribution.LINEAR:
        panel.scale_distribution(_scale(scale))
    for pattern, color in (colors or {}).items():
        panel.override_by_regexp(pattern, style.fixed(color))
    panel.override_by_regexp(style.WARNING_LINE, style.dashed(style.WARNING))
    panel.override_by_regexp(style.CRITICAL_LINE, style.dashed(style.BAD))
    if link:
        panel.data_links([link])
    if no_problem:
        panel.no_value(no_problem)
    return panel


def bars(
    title: str,
    description: str,
    asked: targets.Target,
    *,
    unit: str,
    steps: style.Steps,
    most: float | None = None,
    link: DashboardLink | None = None,
    span: int = 8,
) -> bargauge.Panel:
    """Show the latest value of each series as a bar, up to ``most`` if there is a most."""
    last = common.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields("")
    panel = (
        bargauge.Panel()
        .title(title)
        .description(description)
        .datasource(style.DATASOURCE)
        .targets(targets.at_the_end(asked))
        .unit(unit)
        .min(0)
        .thresholds(style.thresholds(steps))
        .color_scheme(style.by_threshold())
        .display_mode(model.BarGaugeDisplayMode.BASIC)
        .orientation(model.VizOrientation.HORIZONTAL)
        .value_mode(model.BarGaugeValueMode.COLOR)
        .show_unfilled(True)
        .reduce_options(last)
        .span(span)
        .height(CHART_HEIGHT)
    )
    if most is not None:
        panel.max(most)
    if link:
        panel.data_links([link])
    return panel


def _legend() -> common.VizLegendOptions:
    legend = common.VizLegendOptions().display_mode(model.LegendDisplayMode.LIST)
    return legend.placement(model.LegendPlacement.BOTTOM).show_legend(True).calcs([])


def _tooltip() -> common.VizTooltipOptions:
    mode = model.TooltipDisplayMode.MULTI
    return common.VizTooltipOptions().mode(mode).sort(model.SortOrder.DESCENDING)


def _scale(kind: model.ScaleDistribution) -> common.ScaleDistributionConfig:
    scale = common.ScaleDistributionConfig().type(kind).log(10)
    return scale.linear_threshold(1) if kind == model.ScaleDistribution.SYMLOG else scale


def limit(value: float, legend: str) -> targets.Target:
    """Draw a limit that is no objective of the configuration but stands in an alert rule."""
    return targets.Target(f"vector({value:g})", f"limit, {legend}")
