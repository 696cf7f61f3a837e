"""A dashboard: variables, annotations and links that all have, and panels in rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

from grafana.kit import links, marks, style

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from grafana_foundation_sdk.cog import builder

    Rows = Mapping[str, Sequence[builder.Builder[model.Panel]]]

# Where the values of a variable come from; each knows those before it.
_SOURCES = {
    "job": "label_values(celery_sentinel_build_info, job)",
    "instance": 'label_values(celery_sentinel_build_info{job=~"$job"}, instance)',
    "name": 'label_values(celery_task_received_total{job=~"$job", instance=~"$instance"}, name)',
    "queue_name": (
        'label_values(celery_queue_info{job=~"$job", instance=~"$instance"}, queue_name)'
    ),
    "hostname": 'label_values(celery_worker_up{job=~"$job", instance=~"$instance"}, hostname)',
}
_LABELS = {
    "job": "Job",
    "instance": "Instance",
    "name": "Task",
    "queue_name": "Queue",
    "hostname": "Worker",
}
_SHARED = ("job", "instance")


def board(
    uid: str,
    description: str,
    rows: Rows,
    *,
    variables: Sequence[str] = (),
    deploys: Sequence[build.AnnotationQuery] = (),
) -> dict[str, Any]:
    """Return a dashboard as JSON has it; ``rows`` are panels by the question they answer."""
    dashboard = (
        build.Dashboard(f"Celery / {links.TITLES[uid]}")
        .uid(uid)
        .description(description)
        .tags(["celery", "celery-sentinel"])
        .time("now-1h", "now")
        .refresh("30s")
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .readonly()
        .links(links.across())
        .annotations([marks.alerts(), *deploys])
        .with_variable(_datasource())
    )
    for name in (*_SHARED, *variables):
        dashboard.with_variable(_query(name))
    for title, panels in rows.items():
        dashboard.with_row(build.Row(title))
        for panel in panels:
            dashboard.with_panel(panel)
    built = dashboard.build()
    for number, numbered in enumerate(built.panels or [], start=1):
        numbered.id_val = number
    plain: dict[str, Any] = _plain(built)
    return plain


def _datasource() -> build.DatasourceVariable:
    return build.DatasourceVariable("datasource").label("Data source").type("prometheus")


def _query(name: str) -> build.QueryVariable:
    return (
        build.QueryVariable(name)
        .label(_LABELS[name])
        .query(_SOURCES[name])
        .datasource(style.DATASOURCE)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".+")
        .current(model.VariableOption(selected=True, text="All", value="$__all"))
    )


def _plain(value: Any) -> Any:
    """Return what the SDK built as dicts and lists."""
    if hasattr(value, "to_json"):
        return _plain(value.to_json())
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
