"""Panels about celery-sentinel itself: can the other dashboards be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana.kit import charts, links, marks, promql, states, style, tables, targets

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders import statetimeline, table, timeseries

_SEVERITIES = {"critical": ("critical", style.BAD), "warning": ("warning", style.WARNING)}
_CONNECTION = {"0": ("cut off", style.BAD), "1": ("connected", style.GOOD)}


def firing() -> table.Panel:
    """List the alerts that fire."""
    labels = "alertname, severity, name, queue_name, hostname, category"
    columns = [
        tables.Column(field="alertname", title="Alert", link=links.runbook_of_cell(), width=240),
        tables.Column(field="severity", title="Severity", words=_SEVERITIES, width=90),
        tables.Column(field="name", title="Task", link=links.of_cell("name")),
        tables.Column(field="queue_name", title="Queue", link=links.of_cell("queue_name")),
        tables.Column(field="hostname", title="Worker", link=links.of_cell("hostname")),
        tables.Column(field="category", title="Category", width=100),
        tables.Column(field="Value", title="Alerts", unit="short", width=70),
    ]
    return tables.rows(
        "Alerts",
        "What fires now. Click on the alert for its runbook; on a task, queue or worker for its "
        "dashboard.",
        [f"count by ({labels}) ({marks.FIRING})"],
        columns,
        first="Alert",
        span=14,
        no_problem="No alert fires.",
    )


def streams(span: int = 12) -> statetimeline.Panel:
    """Show when each celery-sentinel was connected."""
    heard = promql.by("min", "instance", promql.raw("celery_broker_up"))
    return states.timeline(
        "Connection to the broker",
        "Red: cut off, and what happened meanwhile is unknown here. One of a pair is enough. A gap "
        "in the bar: not scraped.",
        targets.Target(heard, "{{instance}}"),
        words=_CONNECTION,
        span=span,
    )


def polls() -> statetimeline.Panel:
    """Show when polls were answered."""
    asked = promql.by("min", "instance, poller", promql.raw("celery_sentinel_poll_success"))
    return states.timeline(
        "Polls answered",
        "Queues and workers are asked; events do not tell all. Red or a gap: what the poll would "
        "tell is absent. See the runbook of CelerySentinelPollFailing.",
        targets.Target(asked, "{{poller}} ({{instance}})"),
        words={"0": ("failing", style.BAD), "1": ("answered", style.GOOD)},
    )


def events() -> timeseries.Panel:
    """Draw events by type."""
    heard = promql.rate("celery_sentinel_events_total")
    return charts.lines(
        "Events heard",
        "By type, per second. Heartbeats without task events: workers run without -E. None at all "
        "while workers answer: deaf, see the runbook of CelerySentinelDeaf.",
        [targets.Target(promql.by("sum", "type", heard), "{{type}}")],
        unit="cps",
        stacked=True,
    )


def lags() -> timeseries.Panel:
    """Draw how late events come to each celery-sentinel."""
    late = promql.by("max", "instance", promql.raw("celery_sentinel_event_lag_seconds"))
    return charts.lines(
        "Event lag, by sentinel",
        "Worst delay of a heartbeat in half a minute. Rises with a broker or a host that is "
        "overloaded. At the line CelerySentinelLagging alerts.",
        [targets.Target(late, "{{instance}}"), charts.limit(10, "alert")],
        unit="s",
    )


def losses() -> timeseries.Panel:
    """Draw all that was lost or refused."""
    parts = {
        "missed": ("celery_sentinel_events_missed_total", ""),
        "refused: {{reason}}": ("celery_sentinel_events_rejected_total", "reason"),
        "break: {{reason}}": ("celery_sentinel_stream_gaps_total", "reason"),
        "dropped: {{reason}}": ("celery_sentinel_tracker_evictions_total", "reason"),
        "over the limit of {{label}}": ("celery_sentinel_label_overflow_total", "label"),
        "caught in {{part}}": ("celery_sentinel_caught_failures_total", "part"),
        "web refused: {{reason}}": ("celery_sentinel_web_requests_refused_total", "reason"),
        "web dropped: {{reason}}": ("celery_sentinel_web_connections_dropped_total", "reason"),
    }
    asked = [
        targets.Target(f"{promql.by('sum', labels, promql.per_minute(metric))} > 0", legend)
        for legend, (metric, labels) in parts.items()
    ]
    return charts.lines(
        "What was lost or refused",
        "Starts that were not heard, events that could not be read, breaks, records and labels "
        "over their limits: counts are too low, see CelerySentinelLosingEvents and "
        "CelerySentinelLabelOverflow. Web: what our own port refused, see docs/web.md.",
        asked,
        unit="cpm",
        stacked=True,
        no_problem="Nothing was lost or refused.",
    )


def unknowns() -> timeseries.Panel:
    """Draw what is guessed."""
    parts = {
        "orphans: {{type}}": ("celery_sentinel_orphan_events_total", "type"),
        "salvaged: {{reason}}": ("celery_sentinel_messages_salvaged_total", "reason"),
        "waits taken as 0": ("celery_sentinel_wait_clamps_total", ""),
    }
    asked = [
        targets.Target(promql.by("sum", labels, promql.rate(metric)), legend)
        for legend, (metric, labels) in parts.items()
    ]
    return charts.lines(
        "What had to be guessed",
        "Events of tasks unknown before, messages that strict decoding refuses, waits that came "
        "out negative. A burst after a start or a break is usual. A steady rate: of waits, clocks "
        "that differ, see Clock skew; of what was salvaged, a producer that speaks oddly.",
        asked,
        unit="cps",
    )


def memory() -> timeseries.Panel:
    """Draw the memory of each celery-sentinel."""
    held = _own(promql.raw("process_resident_memory_bytes"))
    return charts.lines(
        "Memory",
        "Of each celery-sentinel. It has a bound (docs/limits.md); a climb towards the limit of "
        "its container needs a higher limit or lower tasks.max_records.",
        [targets.Target(promql.by("max", "instance", held), "{{instance}}")],
        unit="bytes",
        span=6,
    )


def processor() -> timeseries.Panel:
    """Draw the processor time of each celery-sentinel."""
    spent = _own(f"rate({promql.raw('process_cpu_seconds_total')}[{promql.RATE}])")
    return charts.lines(
        "Processor",
        "Share of one core. Near 100 % events come late: see the lag, and what sends so many.",
        [targets.Target(promql.by("max", "instance", spent), "{{instance}}")],
        unit="percentunit",
        span=6,
    )


def _own(expression: str) -> str:
    """Leave out processes of the job that are none of ours."""
    info = promql.raw("celery_sentinel_build_info")
    return f"{expression} and ignoring (version, python, celery, kombu) {info}"


def scrapes() -> timeseries.Panel:
    """Draw the size of what is scraped."""
    series = promql.by("max", "instance", promql.raw("celery_sentinel_series"))
    return charts.lines(
        "Series",
        "Samples in a scrape. A climb: new names of tasks, queues, workers or exceptions; "
        "metrics.limits of the config bounds each.",
        [targets.Target(series, "{{instance}}")],
        unit="short",
        span=6,
    )


def durations() -> timeseries.Panel:
    """Draw how long polls and scrapes take."""
    poll = promql.by("max", "poller", promql.raw("celery_sentinel_poll_duration_seconds"))
    render = promql.by("max", "", promql.raw("celery_sentinel_render_duration_seconds"))
    return charts.lines(
        "Polls and scrapes take",
        "How long the last poll and the last scrape took. A poll near polling.timeout is about to "
        "fail: the broker is slow, or too many workers answer.",
        [targets.Target(poll, "poll of {{poller}}"), targets.Target(render, "scrape")],
        unit="s",
    )


def tracked() -> timeseries.Panel:
    """Draw the number of task records."""
    held = promql.by("max", "instance", promql.raw("celery_sentinel_tracker_tasks"))
    return charts.lines(
        "Task records held",
        "Tasks that have not ended, or ended lately. A climb without an end: ends are not heard, "
        "or tasks are sent that nobody runs. At tasks.max_records the oldest are dropped.",
        [targets.Target(held, "{{instance}}")],
        unit="short",
        span=6,
    )


def builds() -> table.Panel:
    """List the versions of each celery-sentinel."""
    started = promql.age(_own(promql.raw("process_start_time_seconds")))
    info = promql.raw("celery_sentinel_build_info")
    columns = [
        tables.Column(field="instance", title="Instance", width=200),
        tables.Column(field="version", title="Version", width=130),
        tables.Column(field="python", title="Python", width=100),
        tables.Column(field="celery", title="Celery", width=100),
        tables.Column(field="Value #A", title="Runs for", unit="s", decimals=0),
    ]
    return tables.rows(
        "Sentinels and their versions",
        "A pair should run the same version. One that started lately counts from there on, and "
        "knows less than its twin.",
        [
            promql.by("max", "instance", started),
            promql.by("max", "instance, version, python, celery", info),
        ],
        columns,
        first="Runs for",
    )
