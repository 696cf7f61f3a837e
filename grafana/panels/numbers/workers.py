"""The numbers about workers: how many are up, lost, wedged, busy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana.kit import charts, links, promql, style

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders import stat

_UP = "job_hostname:celery_worker_up:max"


def up(*which: str) -> stat.Panel:
    """Show how many are up."""
    return charts.number(
        "Workers up",
        "Workers that send heartbeats. A worker that says goodbye leaves this number and alerts "
        "nobody; for one that falls silent look at workers lost.",
        promql.by("sum", "", promql.recorded(_UP, *which)),
        unit="short",
        steps=style.ALL_IS_GOOD,
        link=links.board("celery-workers"),
    )


def lost(*which: str) -> stat.Panel:
    """Show how many fell silent."""
    return charts.number(
        "Workers lost",
        "Workers that fell silent without a goodbye: killed, out of memory, cut off, or with a "
        "frozen host. See which below, and the runbook of CeleryWorkerLost.",
        promql.by("sum", "", f"1 - {promql.recorded(_UP, *which)}"),
        unit="short",
        steps=style.NONE_IS_GOOD,
        link=links.runbook("CeleryWorkerLost"),
    )


def wedged(*which: str) -> stat.Panel:
    """Show how many beat and do not work."""
    stuck = promql.folded("celery_worker_wedged", *which, by="min")
    return charts.number(
        "Workers wedged",
        "Workers that beat but do not answer, or start nothing beside a backlog. Restart one after "
        "looking at its stack: see the runbook of CeleryWorkerWedged.",
        promql.by("sum", "", promql.by("max", "job, hostname", stuck)),
        unit="short",
        steps=style.NONE_IS_GOOD,
        link=links.runbook("CeleryWorkerWedged"),
    )


def busy(*which: str) -> stat.Panel:
    """Show the share of all slots that are busy."""
    active = promql.by("sum", "", promql.smooth_folded("celery_worker_tasks_active", *which))
    slots = promql.by("sum", "", promql.folded("celery_worker_concurrency", *which))
    return charts.number(
        "Slots busy",
        "Share of all slots that run a task. Near 100 % with messages waiting: add workers. Near "
        "0 % with messages waiting: they cannot take them, see the queues.",
        promql.known(f"{active} / {slots}"),
        unit="percentunit",
        steps=((None, style.GOOD), (0.8, style.WARNING), (0.95, style.BAD)),
    )


def restarted(*which: str) -> stat.Panel:
    """Show how many restarts there were."""
    grown = promql.increase("celery_worker_restarts_total", *which, over=promql.WHOLE)
    return charts.number(
        "Restarts",
        "How often a worker came back as another process within the time that is shown, be it a "
        "deployment or a crash. CeleryWorkerRestartLoop tells of those without a goodbye.",
        f"round({promql.by('sum', '', grown)})",
        unit="short",
        steps=((None, style.GOOD), (3, style.WARNING)),
        link=links.runbook("CeleryWorkerRestartLoop"),
    )


def versions(*which: str) -> stat.Panel:
    """Show how many versions of Celery run side by side."""
    info = promql.by("group", "version", promql.folded("celery_worker_info", *which))
    return charts.number(
        "Versions of Celery",
        "How many versions run side by side. More than one outside of a deployment: a rollout got "
        "stuck, see the table below and the runbook of CeleryWorkerVersionSkew.",
        f"count({info})",
        unit="short",
        steps=((None, style.GOOD), (2, style.WARNING)),
        link=links.runbook("CeleryWorkerVersionSkew"),
    )
