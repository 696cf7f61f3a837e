"""The numbers about tasks: how many run, fail, are retried, and how long they take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana.kit import charts, links, promql, style

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders import stat

_FAILED = "job_name:celery_task_failed:increase5m"
_SUCCEEDED = "job_name:celery_task_succeeded:increase5m"
_RATIO = "job_name:celery_task_failures_per_ended:ratio_increase5m"
_ENDED = "job_name:celery_task_ended:increase5m"
_ENOUGH = "job_name:celery_task_objective_minimum_runs:max"
_WANTED = "job_name_severity:celery_task_objective_failure_ratio:max"


def running(*which: str) -> stat.Panel:
    """Show how many run."""
    expr = promql.folded("celery_tasks_in_flight", *which, 'state="started"')
    return charts.number(
        "Running now",
        "Tasks that are being executed. Far below the number of slots while messages wait: look "
        "at the workers. Nothing at all while messages wait: see the runbook of CeleryQueueStuck.",
        promql.by("sum", "", expr),
        unit="short",
        link=links.board("celery-workers"),
    )


def throughput(*which: str) -> stat.Panel:
    """Show how many end well in a second."""
    return charts.number(
        "Succeeding",
        "Runs that end well, per second. When it falls while messages wait, look at the workers; "
        "when it falls and nothing waits, nobody sends.",
        promql.by("sum", "", promql.rate("celery_task_succeeded_total", *which)),
        unit="cps",
    )


def failing(*which: str) -> stat.Panel:
    """Show the share of all runs that fail."""
    failed = promql.by("sum", "", promql.recorded(_FAILED, *which))
    succeeded = promql.by("sum", "", promql.recorded(_SUCCEEDED, *which))
    return charts.number(
        "Failing",
        "Share of the runs of the last 5 minutes that failed. Above 0: the table of failures says "
        "which task, and which exception.",
        promql.share(failed, succeeded),
        unit="percentunit",
        link=links.board("celery-tasks"),
    )


def over_objective(*which: str) -> stat.Panel:
    """Show how many tasks fail more than they may."""
    over = promql.over(promql.recorded(_RATIO, *which), promql.recorded(_WANTED, *which), "name")
    # Of how few runs nothing is said, as in CeleryTaskFailureRatioHigh.
    few = promql.below(promql.recorded(_ENDED, *which), promql.recorded(_ENOUGH, *which), "name")
    none = f"0 * {promql.by('count', '', promql.recorded(_WANTED, *which))}"
    return charts.number(
        "Tasks failing",
        "Tasks that failed more often, in the last 5 minutes, than the strictest of their "
        "objectives allows. Above 0: the table of failures says which, and which exception.",
        f"count({over} unless on (job, name) {few}) or {none}",
        unit="short",
        steps=style.NONE_IS_GOOD,
        link=links.board("celery-tasks"),
    )


def retrying(*which: str) -> stat.Panel:
    """Show the share of all runs that are retried."""
    names = "job_name:celery_task_retried:increase10m", "job_name:celery_task_started:increase10m"
    retried, started = (promql.by("sum", "", promql.recorded(name, *which)) for name in names)
    return charts.number(
        "Retrying",
        "Share of the runs of the last 10 minutes that ended in a retry. Retries hide failures "
        "and multiply load: see below which exception causes them.",
        promql.known(f"({retried} or 0 * {started}) / {started}"),
        unit="percentunit",
    )


def slowest(*which: str) -> stat.Panel:
    """Show the 95th percentile over all runs."""
    return charts.number(
        "Runtime, p95",
        "19 of 20 runs took no longer. The chart of runtimes says which task it is.",
        promql.quantile(0.95, "", "celery_task_runtime_seconds", *which),
        unit="s",
    )


def oldest_run(*which: str) -> stat.Panel:
    """Show the age of the oldest run."""
    started = promql.recorded("job_name:celery_task_oldest_started_timestamp_seconds:min", *which)
    idle = promql.recorded("job:celery_broker_up:max")
    return charts.number(
        "Oldest run",
        "For how long the task that began first has been running; 0 if none runs. If it passes "
        "the objective of its task, it is stuck: see the runbook of CeleryTaskStuck.",
        f"max({promql.age(started)}) or max({idle} == 1) * 0",
        unit="s",
        link=links.runbook("CeleryTaskStuck"),
    )
