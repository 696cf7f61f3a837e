"""Panels about tasks: who fails and why, what is slow or stuck, what the retries did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.models.common import ScaleDistribution

from grafana.kit import charts, links, promql, states, tables, targets

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders import heatmap, table, timeseries

_SUCCEEDED = "job_name:celery_task_succeeded:increase5m"
_CATEGORY_COLORS = {
    "/^code$/": "red",
    "/^network$/": "orange",
    "/^database$/": "purple",
    "/^resource$/": "yellow",
}
_OUTCOME_COLORS = {
    "/^succeeded$/": "green",
    "/^failed$/": "red",
    "/^retried$/": "orange",
    "/^revoked$/": "blue",
    "/^rejected$/": "purple",
    "/^lost$/": "dark-red",
    "/^cancelled$/": "yellow",
    "/^redelivered$/": "super-light-blue",
}


def failures_table(*which: str, span: int = 14, lead_on: bool = True) -> table.Panel:
    """List failures by task, exception and category; a click leads to task or runbook."""
    counted = promql.increase("celery_task_failed_total", *which, over=promql.WHOLE)
    asked = f"round({promql.by('sum', 'name, exception, category', counted)}) > 0"
    # It leads on by category: what to do about code is not what to do about a network.
    help_with_it = links.runbook("CeleryTaskFailureRatioHigh")
    reason = links.of_row("name", "Task") if lead_on else help_with_it
    columns = [
        tables.Column(field="name", title="Task", link=links.of_cell("name"), width=210),
        tables.Column(field="exception", title="Exception", link=reason, width=190),
        tables.Column(field="category", title="Category", link=help_with_it, width=120),
        tables.Column(
            field="Value", title="Failures", unit="short", bar=True, steps=((None, "red"),)
        ),
    ]
    where = "the task" if lead_on else "the task or the exception"
    return tables.rows(
        "Failing tasks, and why",
        f"Failures within the time that is shown. Click {where} to see more; the category says "
        "what heals it: code is yours to mend, of network, database and resource heal the "
        "dependency.",
        [asked],
        columns,
        first="Failures",
        span=span,
        no_problem="No task failed in this time.",
    )


def failures_by_category(*which: str, span: int = 10) -> timeseries.Panel:
    """Draw failures by what heals them."""
    counted = promql.per_minute("celery_task_failed_total", *which)
    return charts.lines(
        "Failures by category",
        "What heals it: code is a bug or bad input; of network, database and resource heal the "
        "dependency and do not touch the code.",
        [targets.Target(promql.by("sum", "category", counted), "{{category}}")],
        unit="cpm",
        stacked=True,
        colors=_CATEGORY_COLORS,
        link=links.board("celery-tasks"),
        span=span,
    )


def failure_ratio(*which: str) -> timeseries.Panel:
    """Draw the share of failures of each task beside its objectives."""
    ratio = promql.recorded("job_name:celery_task_failures_per_ended:ratio_increase5m", *which)
    asked = promql.recorded("job_name_severity:celery_task_objective_failure_ratio:max", *which)
    return charts.lines(
        "Failure ratio",
        "Share of the runs of 5 minutes that failed, and the strictest objective of what is shown. "
        "A task above the line alerts after a minute: see the exceptions beside.",
        [
            targets.Target(promql.by("max", "name", ratio), "{{name}}"),
            targets.objectives(asked),
        ],
        unit="percentunit",
        link=links.of_series("name"),
    )


def budget(*which: str) -> timeseries.Panel:
    """Draw how fast the budget of failures burns."""
    ratio = promql.recorded("job_name:celery_task_failures_per_ended:ratio_increase1h", *which)
    allowed = promql.recorded("job_name:celery_task_objective_failure_budget_ratio:max", *which)
    return charts.lines(
        "Failure budget burn",
        "How many times faster than the budget allows tasks have failed in the last hour. Above 6 "
        "for hours, or above 14.4 for one, CeleryTaskFailureBudgetBurn alerts.",
        [
            targets.Target(promql.by("max", "name", f"{ratio} / {allowed}"), "{{name}}"),
            charts.limit(6, "warning over 6 h"),
            charts.limit(14.4, "critical over 1 h"),
        ],
        unit="none",
        link=links.of_series("name"),
    )


def runtime(*which: str) -> timeseries.Panel:
    """Draw the 95th percentile of each task beside its objectives."""
    measured = promql.recorded("job_name:celery_task_runtime_seconds:p95_rate15m", *which)
    asked = promql.recorded("job_name_severity:celery_task_objective_runtime_seconds:max", *which)
    return charts.lines(
        "Runtime, p95 of 15 minutes",
        "19 of 20 runs took no longer. The line is the strictest objective of what is shown; the "
        "scale is logarithmic. A step at a deployment is a regression.",
        [
            targets.Target(promql.known(promql.by("max", "name", measured)), "{{name}}"),
            targets.objectives(asked),
        ],
        unit="s",
        scale=ScaleDistribution.LOG,
        link=links.of_series("name"),
    )


def oldest_runs(*which: str) -> timeseries.Panel:
    """Draw the age of the oldest run of each task beside its objectives."""
    started = promql.recorded("job_name:celery_task_oldest_started_timestamp_seconds:min", *which)
    asked = promql.recorded("job_name_severity:celery_task_objective_stuck_seconds:max", *which)
    return charts.lines(
        "Oldest run, by task",
        "How long the run that began first has been going on. One that climbs without a fall is "
        "stuck: find its worker, and see the runbook of CeleryTaskStuck.",
        [
            targets.Target(promql.by("max", "name", promql.age(started)), "{{name}}"),
            targets.objectives(asked),
        ],
        unit="s",
        scale=ScaleDistribution.LOG,
        link=links.of_series("name"),
    )


def runtimes(*which: str) -> heatmap.Panel:
    """Show where most runtimes lie."""
    return states.spread(
        "Runtimes",
        "Runs by how long they took. Two bands are two kinds of work under one name; a band that "
        "rises is a dependency that slows down.",
        promql.buckets("celery_task_runtime_seconds", *which),
    )


def waits(*which: str, span: int = 12) -> heatmap.Panel:
    """Show where most waits lie."""
    return states.spread(
        "Waits before the start",
        "Runs by how long they waited from sent (or their eta) to started. A band that rises: too "
        "few workers, or something slow before it. Needs task-sent events of the producers.",
        promql.buckets("celery_task_queue_wait_seconds", *which),
        span=span,
    )


def outcomes(*which: str, span: int = 12) -> timeseries.Panel:
    """Draw how all runs ended."""
    kinds = ("succeeded", "failed", "retried", "revoked", "rejected", "cancelled", "lost")
    asked = [
        targets.Target(promql.by("sum", "", promql.rate(f"celery_task_{kind}_total", *which)), kind)
        for kind in kinds
    ]
    return charts.lines(
        "How runs end",
        "Runs that end, per second, by how. Retried ones come again. Rejected, lost and cancelled "
        "ones are rare: each has a runbook (CeleryTaskRejected, CeleryTaskLost).",
        asked,
        unit="cps",
        stacked=True,
        colors=_OUTCOME_COLORS,
        span=span,
    )


def retry_ratio(*which: str) -> timeseries.Panel:
    """Draw the share of retries of each task beside its objectives."""
    ratio = promql.recorded("job_name:celery_task_retries_per_started:ratio_increase10m", *which)
    asked = promql.recorded("job_name_severity:celery_task_objective_retry_ratio:max", *which)
    return charts.lines(
        "Retry ratio",
        "Share of the runs of 10 minutes that ended in a retry. Above the line it is a storm: "
        "the retries are the load. See the runbook of CeleryTaskRetryStorm.",
        [
            targets.Target(promql.by("max", "name", ratio), "{{name}}"),
            targets.objectives(asked),
        ],
        unit="percentunit",
        link=links.of_series("name"),
        span=12,
    )


def retries(*which: str) -> timeseries.Panel:
    """Draw retries by task and exception."""
    counted = promql.per_minute("celery_task_retried_total", *which)
    return charts.lines(
        "Retries by exception",
        "Which exception makes which task try again. Where the same pair stands under failures, "
        "the retries did not help.",
        [targets.Target(promql.by("sum", "name, exception", counted), "{{name}}: {{exception}}")],
        unit="cpm",
        stacked=True,
        link=links.of_series("name"),
        span=12,
    )


def unfinished(*which: str, span: int = 12) -> table.Panel:
    """List runs that neither succeeded nor failed."""
    kinds = {
        "celery_task_revoked_total": "reason",
        "celery_task_rejected_total": "requeue",
        "celery_task_lost_total": "reason",
    }
    parts = []
    for metric, label in kinds.items():
        counted = promql.increase(metric, *which, over=promql.WHOLE)
        total = promql.by("sum", f"name, {label}", counted)
        kind = metric.removeprefix("celery_task_").removesuffix("_total")
        named = f'label_replace({total}, "detail", "$1", "{label}", "(.+)")'
        summed = promql.by("sum", "name, detail", named)
        parts.append(f'label_replace(round({summed}) > 0, "ending", "{kind}", "", "")')
    again = promql.increase("celery_task_redelivered_total", *which, over=promql.WHOLE)
    delivered = f"round({promql.by('sum', 'name', again)}) > 0"
    parts.append(f'label_replace({delivered}, "ending", "redelivered", "", "")')
    columns = [
        tables.Column(field="name", title="Task", link=links.of_cell("name"), width=230),
        tables.Column(field="ending", title="Ending", width=120),
        tables.Column(field="detail", title="Why", width=140),
        tables.Column(
            field="Value", title="Runs", unit="short", bar=True, steps=((None, "orange"),)
        ),
    ]
    return tables.rows(
        "Runs that did not end by themselves",
        "Revoked, rejected, lost or delivered twice, within the time that is shown. Lost and "
        "rejected ones need somebody: see the runbooks of CeleryTaskLost and CeleryTaskRejected.",
        [" or ".join(parts)],
        columns,
        first="Runs",
        span=span,
        no_problem="Every run ended by itself.",
    )


def successes(*which: str) -> table.Panel:
    """List when each task last succeeded."""
    last = promql.folded("celery_task_last_event_timestamp_seconds", *which, 'event="succeeded"')
    ago = promql.age(promql.by("max", "name", last))
    wanted = promql.recorded("job_name_severity:celery_task_objective_silence_seconds:max", *which)
    columns = [
        tables.Column(field="name", title="Task", link=links.of_cell("name"), width=230),
        tables.Column(field="Value #A", title="Since", unit="s", decimals=0, width=120),
        tables.Column(field="Value #B", title="In 5 minutes", unit="short", decimals=0),
        tables.Column(field="Value #C", title="Allowed silence", unit="s"),
    ]
    ended = promql.recorded(_SUCCEEDED, *which)
    return tables.rows(
        "Last success",
        "How long ago each task last ended well. For one that should run on a schedule set "
        "objectives.tasks silence_seconds; then CeleryTaskSilent alerts.",
        [ago, promql.by("sum", "name", ended), promql.by("min", "name", wanted)],
        columns,
        first="Since",
        span=12,
    )
