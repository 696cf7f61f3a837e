"""Panels that show many things at once: states over time, and where most runs lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import common, heatmap, statetimeline
from grafana_foundation_sdk.models import common as model, heatmap as heatmap_model

from grafana.kit import charts, style, targets

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.dashboard import DashboardLink

CELLS = 80  # columns of a heatmap; more are too narrow to tell apart


def timeline(
    title: str,
    description: str,
    asked: targets.Target,
    *,
    words: dict[str, tuple[str, str]],
    link: DashboardLink | None = None,
    span: int = 12,
) -> statetimeline.Panel:
    """Show in which state each series was when; ``words`` gives text and colour of each value."""
    legend = common.VizLegendOptions().display_mode(model.LegendDisplayMode.LIST)
    panel = (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .datasource(style.DATASOURCE)
        .targets(targets.over_time([asked]))
        .unit("none")
        .mappings([style.mapping(words)])
        .thresholds(style.thresholds(((None, style.OFF),)))
        .color_scheme(style.by_threshold())
        .fill_opacity(75)
        .line_width(0)
        .merge_values(True)
        .show_value(model.VisibilityMode.NEVER)
        .row_height(0.8)
        .legend(legend.placement(model.LegendPlacement.BOTTOM).show_legend(True).calcs([]))
        .span(span)
        .height(charts.CHART_HEIGHT)
    )
    if link:
        panel.data_links([link])
    return panel


def spread(title: str, description: str, buckets: str, *, span: int = 12) -> heatmap.Panel:
    """Show how many runs fell into each bucket of a histogram of seconds."""
    color = (
        heatmap.HeatmapColorOptions()
        .mode(heatmap_model.HeatmapColorMode.SCHEME)
        .scheme("Turbo")
        .scale(heatmap_model.HeatmapColorScale.EXPONENTIAL)
        .exponent(0.4)
        .steps(64)
        .fill("dark-blue")
    )
    return (
        heatmap.Panel()
        .title(title)
        .description(description)
        .datasource(style.DATASOURCE)
        .targets(targets.over_time([targets.Target(buckets, "{{le}}")], heatmap=True))
        .unit("s")
        .max_data_points(CELLS)
        .calculate(False)
        .color(color)
        .cell_gap(1)
        .filter_values(heatmap.FilterValueRange().le(1e-9))
        .y_axis(heatmap.YAxisConfig().unit("s").axis_placement(model.AxisPlacement.LEFT))
        .rows_frame(heatmap.RowsHeatmapOptions().layout(model.HeatmapCellLayout.AUTO))
        .cell_values(heatmap.CellValues().unit("short"))
        .mode(model.TooltipDisplayMode.SINGLE)
        .show_y_histogram()
        .show_legend()
        .span(span)
        .height(charts.CHART_HEIGHT)
    )
