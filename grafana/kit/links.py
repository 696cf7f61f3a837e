"""Where a click leads: from a value to the dashboard of its task, worker or queue, or a runbook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

if TYPE_CHECKING:
    from grafana_foundation_sdk.cog import builder

RUNBOOKS = "https://celery-sentinel.example/docs/runbooks"
TITLES = {
    "celery-overview": "Overview",
    "celery-tasks": "Tasks",
    "celery-workers": "Workers",
    "celery-queues": "Queues",
    "celery-sentinel": "Sentinel",
}
_KEPT = "${datasource:queryparam}&${job:queryparam}&${instance:queryparam}&${__url_time_range}"
_CELL = "${__value.text:percentencode}"  # of a table
_DETAIL = {
    "name": ("celery-tasks", "task"),
    "queue_name": ("celery-queues", "queue"),
    "hostname": ("celery-workers", "worker"),
}


def _link(title: str, url: str) -> build.DashboardLink:
    return build.DashboardLink(title).url(url).type(model.DashboardLinkType.LINK).icon("")


def detail(label: str, value: str) -> build.DashboardLink:
    """Open the dashboard that ``label`` belongs to, for one value of it."""
    uid, noun = _DETAIL[label]
    return _link(f"Open this {noun}", f"/d/{uid}?{_KEPT}&var-{label}={value}")


def of_series(label: str) -> build.DashboardLink:
    """Open the detail dashboard of the series that was clicked on."""
    return detail(label, f"${{__field.labels.{label}:percentencode}}")


def of_cell(label: str) -> build.DashboardLink:
    """Open the detail dashboard of what the cell of a table says."""
    return detail(label, _CELL)


def of_row(label: str, column: str) -> build.DashboardLink:
    """Open the detail dashboard of what the row of a table says in another column."""
    return detail(label, f"${{__data.fields.{column}:percentencode}}")


def board(uid: str) -> build.DashboardLink:
    """Open another dashboard with the same variables and the same time."""
    return _link(f"Open {TITLES[uid]}", f"/d/{uid}?{_KEPT}")


def runbook(alert: str) -> build.DashboardLink:
    """Open the runbook of an alert."""
    return _link(f"Runbook: {alert}", f"{RUNBOOKS}/{alert}.md")


def runbook_of_cell() -> build.DashboardLink:
    """Open the runbook of the alert that the cell of a table names."""
    return _link("Runbook of this alert", f"{RUNBOOKS}/{_CELL}.md")


def across() -> list[builder.Builder[model.DashboardLink]]:
    """Return the links from each dashboard to all of the family, for its top."""
    links: list[builder.Builder[model.DashboardLink]] = []
    for uid, title in TITLES.items():
        link = build.DashboardLink(title).type(model.DashboardLinkType.LINK).url(f"/d/{uid}")
        links.append(link.icon("dashboard").include_vars(True).keep_time(True))
    return links
