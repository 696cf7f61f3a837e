"""Panels about queues: are users waiting, and will it get better by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.models.common import ScaleDistribution

from grafana.kit import charts, links, promql, style, tables, targets

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders import bargauge, table, timeseries

_LENGTH = "job_queue_name:celery_queue_length:max"
_OLDEST = "job_queue_name:celery_queue_oldest_message_timestamp_seconds:min"
_AGE_WANTED = "job_queue_name_severity:celery_queue_objective_age_seconds:max"
_WAIT = "job_queue_name:celery_task_queue_wait_seconds:p95_rate5m"
_WORKERS = "job_queue_name:celery_queue_workers:max"
_BUSY = "job_queue_name:celery_queue_worker_slots_busy:max"
_SLOTS = "job_queue_name:celery_queue_worker_slots:max"


def _age(*which: str) -> str:
    """Return the age of the oldest message of each queue; 0 where nothing waits."""
    oldest = promql.age(promql.recorded(_OLDEST, *which))
    empty = f"{promql.recorded(_LENGTH, *which)} == 0"
    return f"({oldest}) or ({empty})"


def ages(*which: str, span: int = 12) -> timeseries.Panel:
    """Draw the age of the oldest message of each queue beside its objectives."""
    wanted = promql.recorded(_AGE_WANTED, *which)
    return charts.lines(
        "Age of the oldest message",
        "Since when the first message has waited, and the strictest objective of what is shown. A "
        "queue over the line is late: add workers, or see what they do instead. Logarithmic.",
        [
            targets.Target(promql.by("max", "queue_name", _age(*which)), "{{queue_name}}"),
            targets.objectives(wanted),
        ],
        unit="s",
        scale=ScaleDistribution.SYMLOG,
        link=links.of_series("queue_name"),
        span=span,
    )


def lengths(*which: str, span: int = 12) -> timeseries.Panel:
    """Draw the length of each queue beside its objectives."""
    wanted = promql.recorded("job_queue_name_severity:celery_queue_objective_length:max", *which)
    return charts.lines(
        "Messages waiting, by queue",
        "Messages ready. A climb that does not turn needs workers, or an end to what sends; the "
        "lines are the strictest objectives of what is shown. Logarithmic.",
        [
            targets.Target(
                promql.by("sum", "queue_name", promql.recorded(_LENGTH, *which)), "{{queue_name}}"
            ),
            targets.objectives(wanted),
        ],
        unit="short",
        scale=ScaleDistribution.SYMLOG,
        link=links.of_series("queue_name"),
        span=span,
    )


def drain(*which: str) -> timeseries.Panel:
    """Draw what comes in beside what is begun."""
    sent = promql.by("sum", "", promql.rate("celery_task_sent_total", *which))
    started = promql.by("sum", "", promql.rate("celery_task_started_total", *which))
    return charts.lines(
        "Sent and started",
        "Does it drain? While more is sent than started the queues grow; retries are sent again "
        "and count again. Needs task-sent events of the producers.",
        [targets.Target(sent, "sent"), targets.Target(started, "started")],
        unit="cps",
        colors={"/^sent$/": "blue", "/^started$/": "green"},
    )


def saturation(*which: str) -> timeseries.Panel:
    """Draw the share of busy slots of the workers of each queue."""
    busy, slots = (promql.smooth(promql.recorded(name, *which)) for name in (_BUSY, _SLOTS))
    share = f"{busy} / {slots}"
    return charts.lines(
        "Slots busy, by queue",
        "Share of the slots of the workers of a queue that run a task, of whichever queue. At the "
        "line with messages waiting: CeleryWorkersSaturated, add workers.",
        [
            targets.Target(promql.by("max", "queue_name", share), "{{queue_name}}"),
            charts.limit(0.95, "saturated"),
        ],
        unit="percentunit",
        link=links.of_series("queue_name"),
    )


def waits(*which: str) -> timeseries.Panel:
    """Draw the 95th percentile of the waits of each queue."""
    wanted = promql.recorded(_AGE_WANTED, *which)
    measured = promql.known(promql.recorded(_WAIT, *which))
    return charts.lines(
        "Wait before the start, p95 of 5 minutes",
        "From sent (or eta) to started: what a user waited. Rises before the length does when "
        "tasks get slower. The line is the objective of the age. Logarithmic.",
        [
            targets.Target(promql.by("max", "queue_name", measured), "{{queue_name}}"),
            targets.objectives(wanted),
        ],
        unit="s",
        scale=ScaleDistribution.SYMLOG,
        link=links.of_series("queue_name"),
    )


def prefetched(*which: str) -> timeseries.Panel:
    """Draw how long tasks sit inside a worker."""
    metric = "celery_task_prefetch_wait_seconds"
    return charts.lines(
        "Wait inside the worker, p95",
        "From received to started: time that a task was held by one worker while another may have "
        "idled. Long: set worker_prefetch_multiplier = 1 for long tasks.",
        [targets.Target(promql.quantile(0.95, "queue_name", metric, *which), "{{queue_name}}")],
        unit="s",
        link=links.of_series("queue_name"),
        span=8,
    )


def unacked() -> timeseries.Panel:
    """Draw what is delivered and not acknowledged."""
    redis = promql.folded("celery_broker_unacked_messages")
    rabbitmq = promql.by("sum", "job", promql.folded("celery_queue_unacked"))
    return charts.lines(
        "Delivered and not acknowledged",
        "What workers run, hold in advance, or keep until its eta. On RabbitMQ known with the "
        "management API only. More than workers can hold: a worker died with them.",
        [targets.Target(promql.by("sum", "", f"{redis} or {rabbitmq}"), "not acknowledged")],
        unit="short",
    )


def redelivery() -> timeseries.Panel:
    """Draw the age of the oldest unacknowledged message beside the visibility time-out."""
    oldest = promql.folded("celery_broker_oldest_unacked_timestamp_seconds", by="min")
    limit = promql.folded("celery_broker_visibility_timeout_seconds")
    return charts.lines(
        "Oldest not acknowledged (Redis)",
        "At the visibility time-out Redis hands a message to another worker though the first may "
        "still work on it: raise it above the longest eta and runtime. See CeleryUnackedStale.",
        [
            targets.Target(promql.by("max", "", promql.age(oldest)), "oldest"),
            targets.Target(promql.by("min", "", limit), "limit, visibility time-out"),
        ],
        unit="s",
        scale=ScaleDistribution.SYMLOG,
    )


def priorities(*which: str) -> timeseries.Panel:
    """Draw the lengths of the priorities."""
    length = promql.folded("celery_queue_priority_length", *which)
    return charts.lines(
        "Messages waiting, by priority (Redis)",
        "0 is served first. High numbers that never drain starve: give them a queue and workers "
        "of their own.",
        [targets.Target(promql.by("sum", "priority", length), "priority {{priority}}")],
        unit="short",
        stacked=True,
        span=8,
    )


def crews(*which: str) -> timeseries.Panel:
    """Draw how many workers consume each queue."""
    wanted = promql.recorded("job_queue_name_severity:celery_queue_objective_workers:max", *which)
    there = promql.recorded(_WORKERS, *which)
    return charts.lines(
        "Workers, by queue",
        "Workers that are up and consume the queue. A step down without a deployment: somebody is "
        "lost. Lines are objectives.queues workers of the config, where it sets any.",
        [
            targets.Target(promql.by("sum", "queue_name", there), "{{queue_name}}"),
            targets.Target(f"max by (severity) ({wanted})", "objective, {{severity}}"),
        ],
        unit="short",
        link=links.of_series("queue_name"),
    )


def shares(*which: str) -> bargauge.Panel:
    """Show how long each queue is now."""
    asked = promql.by("sum", "queue_name", promql.recorded(_LENGTH, *which))
    return charts.bars(
        "Waiting now",
        "Where the messages are. Click on a queue for its own story.",
        targets.Target(asked, "{{queue_name}}"),
        unit="short",
        steps=style.NEUTRAL,
        link=links.of_series("queue_name"),
        span=10,
    )


def roster(*which: str) -> table.Panel:
    """List all queues with what is known of them."""
    wanted = promql.recorded(_AGE_WANTED, *which)
    asked = [
        promql.by("max", "queue_name", _age(*which)),
        *(
            promql.by("sum", "queue_name", promql.recorded(name, *which))
            for name in (_LENGTH, _WORKERS, _SLOTS, _BUSY)
        ),
        promql.known(promql.by("max", "queue_name", promql.recorded(_WAIT, *which))),
        promql.by("max", "queue_name", promql.used(_age(*which), wanted, "queue_name")),
    ]
    own = links.of_cell("queue_name")
    columns = [
        tables.Column(field="queue_name", title="Queue", link=own, width=170),
        tables.Column(field="Value #A", title="Oldest", unit="s", decimals=1),
        tables.Column(
            field="Value #G",
            title="Of objective",
            unit="percentunit",
            steps=((None, style.GOOD), (0.5, style.WARNING), (1, style.BAD)),
            decimals=0,
            width=120,
        ),
        tables.Column(field="Value #B", title="Waiting", unit="short"),
        tables.Column(field="Value #C", title="Workers", unit="short", steps=style.ALL_IS_GOOD),
        tables.Column(field="Value #D", title="Slots", unit="short"),
        tables.Column(field="Value #E", title="Busy", unit="short"),
        tables.Column(field="Value #F", title="Wait, p95", unit="s", decimals=1),
    ]
    return tables.rows(
        "All queues",
        "What is known of each queue; red is older than its objective allows. No workers: start "
        "some with -Q. What has no age holds nothing, or its broker does not tell.",
        asked,
        columns,
        first="Oldest",
        span=14,
    )
