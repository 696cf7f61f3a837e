"""What a panel asks Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from grafana_foundation_sdk.builders import prometheus as build
from grafana_foundation_sdk.models import prometheus as model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grafana_foundation_sdk.cog import builder, variants

    Queries = list[builder.Builder[variants.Dataquery]]


class Target(NamedTuple):
    """An expression, and what its series are called (``{{label}}`` stands for its value)."""

    expr: str
    legend: str = ""


def objectives(metric: str, labels: str = "severity") -> Target:
    """Draw the strictest of the objectives; with one task or queue chosen it is its own.

    ``metric`` is a selector, which has a severity.
    """
    return Target(f"min by ({labels}) ({metric})", "objective, {{severity}}")


def over_time(targets: Sequence[Target], *, heatmap: bool = False) -> Queries:
    """Ask for the whole time that is shown."""
    style = model.PromQueryFormat.HEATMAP if heatmap else model.PromQueryFormat.TIME_SERIES
    return [_query(index, target, style).range() for index, target in enumerate(targets)]


def now(targets: Sequence[Target]) -> Queries:
    """Ask for the end of the time that is shown, a row for each series."""
    style = model.PromQueryFormat.TABLE
    return [_query(index, target, style).instant() for index, target in enumerate(targets)]


def at_the_end(target: Target) -> Queries:
    """Ask for the end of the time that is shown, a series for each."""
    return [_query(0, target, model.PromQueryFormat.TIME_SERIES).instant()]


def _query(index: int, target: Target, style: model.PromQueryFormat) -> build.Dataquery:
    query = build.Dataquery().expr(target.expr).ref_id(chr(ord("A") + index)).format(style)
    return query.legend_format(target.legend or "__auto").editor_mode(model.QueryEditorMode.CODE)
