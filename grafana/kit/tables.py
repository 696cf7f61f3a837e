"""Tables: a row for each thing, a click on it leads on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import common, table
from grafana_foundation_sdk.models import common as model, dashboard

from grafana.kit import charts, style, targets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grafana_foundation_sdk.builders.dashboard import DashboardLink


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column: the label it shows, or ``Value`` (``Value #B`` of the second of many queries)."""

    field: str
    title: str
    unit: str = "none"
    link: DashboardLink | None = None
    width: int | None = None
    bar: bool = False
    steps: style.Steps | None = None
    words: dict[str, tuple[str, str]] | None = None
    decimals: int | None = None

    def properties(self) -> list[dashboard.DynamicConfigValue]:
        """Return what sets it apart from the other columns."""
        value = dashboard.DynamicConfigValue
        found = [value("unit", self.unit)]
        if self.decimals is not None:
            found.append(value("decimals", self.decimals))
        if self.link:
            found.append(value("links", [self.link.build()]))
        if self.width:
            found.append(value("custom.width", self.width))
        if self.steps:
            found.append(value("thresholds", style.thresholds(self.steps).build()))
            found.append(value("color", {"mode": "thresholds"}))
        if self.words:
            found.append(value("mappings", [style.mapping(self.words)]))
        if self.bar:
            found.append(value("custom.cellOptions", {"type": "gauge", "mode": "basic"}))
        elif self.steps or self.words:
            found.append(value("custom.cellOptions", {"type": "color-text"}))
        return found


def rows(
    title: str,
    description: str,
    asked: Sequence[str],
    columns: Sequence[Column],
    *,
    first: str,
    span: int = 12,
    height: int = charts.CHART_HEIGHT,
    no_problem: str | None = None,
) -> table.Panel:
    """Show what ``asked`` yields now; several are joined by the labels they share.

    ``first`` is the title of the column that sorts the rows, greatest at first.
    """
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(style.DATASOURCE)
        .targets(targets.now([targets.Target(expr) for expr in asked]))
        .unit("none")
        .show_header(True)
        .cell_height(model.TableCellHeight.SM)
        .footer(common.TableFooterOptions().show(False).reducer(["sum"]).count_rows(False))
        .sort_by([common.TableSortByFieldState().display_name(first).desc(True)])
        .transformations(_arranged(columns, len(asked)))
        .span(span)
        .height(height)
    )
    for column in columns:
        panel.override_by_name(column.title, column.properties())
    if no_problem:
        panel.no_value(no_problem)
    return panel


def _arranged(columns: Sequence[Column], queries: int) -> list[dashboard.DataTransformerConfig]:
    values = [f"Value #{chr(ord('A') + number)}" for number in range(queries)]
    shown = {column.field for column in columns}
    hidden = [value for value in values if queries > 1 and value not in shown]
    organized = dashboard.DataTransformerConfig(
        id_val="organize",
        options={
            "excludeByName": dict.fromkeys(["Time", *hidden], True),
            "indexByName": {column.field: index for index, column in enumerate(columns)},
            "renameByName": {column.field: column.title for column in columns},
        },
    )
    merge = dashboard.DataTransformerConfig(id_val="merge", options={})
    return [merge, organized] if queries > 1 else [organized]
