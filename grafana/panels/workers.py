"""Panels about workers: which is lost, wedged or saturated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.models.common import ScaleDistribution

from grafana.kit import charts, links, promql, states, style, tables, targets

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders import bargauge, statetimeline, table, timeseries

_UP = "job_hostname:celery_worker_up:max"
_STATES = {
    "0": ("lost", style.BAD),
    "1": ("up", style.GOOD),
    "2": ("wedged", style.WARNING),
}


def timeline(*which: str, span: int = 12) -> statetimeline.Panel:
    """Show when each worker was up, lost or wedged."""
    beats = promql.by("max", "hostname", promql.recorded(_UP, *which))
    stuck = promql.folded("celery_worker_wedged", *which, by="min")
    worse = promql.by("max", "hostname", f"{stuck} == 1") + " + 1"
    return states.timeline(
        "Workers over time",
        "Red: fell silent without a goodbye, restart it and look why. Orange: beats but does not "
        "work. A bar that ends: said goodbye. A gap: not known, see Sentinel.",
        targets.Target(f"({worse}) or {beats}", "{{hostname}}"),
        words=_STATES,
        link=links.of_series("hostname"),
        span=span,
    )


def load(*which: str) -> timeseries.Panel:
    """Draw the share of slots in use of each worker."""
    active = promql.smooth_folded("celery_worker_tasks_active", *which)
    slots = promql.folded("celery_worker_concurrency", *which)
    return charts.lines(
        "Slots busy, by worker",
        "Share of its slots that each worker uses. One at 100 % beside idle ones: long tasks or "
        "prefetching keep it; lower worker_prefetch_multiplier.",
        [
            targets.Target(promql.by("max", "hostname", f"{active} / {slots}"), "{{hostname}}"),
            charts.limit(0.95, "saturated"),
        ],
        unit="percentunit",
        link=links.of_series("hostname"),
    )


def slots(*which: str) -> bargauge.Panel:
    """Show the share of slots in use of each worker now."""
    active = promql.smooth_folded("celery_worker_tasks_active", *which)
    all_slots = promql.folded("celery_worker_concurrency", *which)
    return charts.bars(
        "Slots busy now",
        "Who works and who idles. All full while messages wait: add workers to their queues.",
        targets.Target(promql.by("max", "hostname", f"{active} / {all_slots}"), "{{hostname}}"),
        unit="percentunit",
        steps=((None, style.GOOD), (0.8, style.WARNING), (0.95, style.BAD)),
        most=1,
        link=links.of_series("hostname"),
        span=8,
    )


def progress(*which: str) -> timeseries.Panel:
    """Draw how many tasks each worker starts."""
    started = promql.rate("celery_worker_tasks_processed_total", *which)
    return charts.lines(
        "Tasks started, by worker",
        "What each worker says it has started, per second. A flat line at 0 beside others that "
        "work, and messages waiting: wedged, or it consumes other queues.",
        [targets.Target(promql.by("sum", "hostname", started), "{{hostname}}")],
        unit="cps",
        link=links.of_series("hostname"),
    )


def held(*which: str) -> timeseries.Panel:
    """Draw what workers hold and have not begun."""
    reserved = promql.folded("celery_worker_tasks_reserved", *which)
    scheduled = promql.folded("celery_worker_tasks_scheduled", *which)
    return charts.lines(
        "Held and not begun",
        "Tasks a worker took from its queues and has not begun, and those it keeps until their "
        "eta. Nobody else can run them: many reserved ones want a lower prefetch, many with an eta "
        "want a scheduler.",
        [
            targets.Target(promql.by("sum", "hostname", reserved), "{{hostname}} reserved"),
            targets.Target(promql.by("sum", "hostname", scheduled), "{{hostname}} with eta"),
        ],
        unit="short",
        link=links.of_series("hostname"),
    )


def memory(*which: str) -> timeseries.Panel:
    """Draw the memory of the main processes."""
    most = promql.folded("celery_worker_max_rss_bytes", *which)
    return charts.lines(
        "Most memory ever held",
        "By the main process of each worker; pool processes are not in it. A climb that never "
        "ends is a leak: set worker_max_tasks_per_child, and look for what is kept.",
        [targets.Target(promql.by("max", "hostname", most), "{{hostname}}")],
        unit="bytes",
        link=links.of_series("hostname"),
        span=8,
    )


def heartbeats(*which: str) -> timeseries.Panel:
    """Draw how long ago each worker was heard."""
    heard = promql.folded("celery_worker_last_heartbeat_timestamp_seconds", *which)
    return charts.lines(
        "Since the last heartbeat",
        "Stays within a few seconds. A saw with long teeth is a host or a network in trouble; a "
        "climb is a worker that is about to be called lost. Logarithmic.",
        [targets.Target(promql.age(promql.by("max", "hostname", heard)), "{{hostname}}")],
        unit="s",
        scale=ScaleDistribution.SYMLOG,
        link=links.of_series("hostname"),
        span=8,
    )


def host_load(*which: str) -> timeseries.Panel:
    """Draw the load average of the hosts."""
    average = promql.folded("celery_worker_load_average", *which, 'window="1m"')
    return charts.lines(
        "Load of the host, 1 minute",
        "Load average of the host of each worker. Far above its number of cores: tasks slow each "
        "other down, so more slots will not help.",
        [targets.Target(promql.by("max", "hostname", average), "{{hostname}}")],
        unit="short",
        link=links.of_series("hostname"),
        span=8,
    )


def clocks(*which: str) -> timeseries.Panel:
    """Draw how wrong the clocks are."""
    skew = promql.raw("celery_worker_clock_skew_seconds", *which)
    least = f"min without (instance, pod) (abs({skew}))"
    return charts.lines(
        "Clock skew",
        "How far the clock of each worker is from ours. Waits and etas are wrong by as much: mend "
        "the time service of the host. From 10 s on CeleryWorkerClockSkew alerts.",
        [
            targets.Target(promql.by("max", "hostname", least), "{{hostname}}"),
            charts.limit(10, "alert"),
        ],
        unit="s",
        link=links.of_series("hostname"),
    )


def roster(*which: str) -> table.Panel:
    """List all workers with what is known of them."""
    info = promql.folded("celery_worker_info", *which)
    gauges = ("celery_worker_tasks_active", "celery_worker_concurrency")
    prefetch = promql.folded("celery_worker_prefetch_limit", *which)
    asked = [
        promql.by("max", "hostname", promql.recorded(_UP, *which)),
        *(promql.by("max", "hostname", promql.folded(name, *which)) for name in gauges),
        promql.by("max", "hostname", prefetch),
        promql.by("min", "hostname", promql.folded("celery_worker_events_enabled", *which)),
        promql.by("min", "hostname", promql.folded("celery_worker_responding", *which)),
        promql.by("max", "hostname, version, pool", info),
    ]
    return tables.rows(
        "All workers",
        "What is known of each. Task events off: its tasks are in no number, start it with -E or "
        "see the runbook of CeleryWorkerEventsDisabled.",
        asked,
        _columns(),
        first="Active",
        span=16,
    )


def _columns() -> list[tables.Column]:
    return [
        tables.Column(field="hostname", title="Worker", link=links.of_cell("hostname"), width=180),
        tables.Column(field="Value #A", title="State", words=_STATES, width=90),
        tables.Column(field="Value #B", title="Active", unit="short", width=80),
        tables.Column(field="Value #C", title="Slots", unit="short", width=80),
        tables.Column(field="Value #D", title="Prefetch", unit="short", width=90),
        tables.Column(
            field="Value #E",
            title="Task events",
            words={"0": ("off", style.BAD), "1": ("on", style.GOOD)},
            width=110,
        ),
        tables.Column(field="version", title="Celery", width=90),
        tables.Column(field="pool", title="Pool", width=95),
        tables.Column(
            field="Value #F",
            title="Answers",
            words={"0": ("no", style.BAD), "1": ("yes", style.GOOD)},
            width=90,
        ),
    ]


def silent(*which: str) -> table.Panel:
    """List the workers that are lost or wedged."""
    gone = promql.by("max", "hostname", f"{promql.recorded(_UP, *which)} == 0")
    stuck = promql.folded("celery_worker_wedged", *which, by="min")
    asked = (
        f'label_replace({gone}, "alert", "CeleryWorkerLost", "", "") '
        f"or label_replace({promql.by('max', 'hostname', f'{stuck} == 1')}, "
        '"alert", "CeleryWorkerWedged", "", "")'
    )
    columns = [
        tables.Column(field="hostname", title="Worker", link=links.of_cell("hostname"), width=220),
        tables.Column(field="alert", title="What to do", link=links.runbook_of_cell()),
        tables.Column(
            field="Value",
            title="State",
            words={"0": ("lost", style.BAD), "1": ("wedged", style.WARNING)},
            width=100,
        ),
    ]
    return tables.rows(
        "Lost or wedged",
        "Workers that need somebody now. Click on what to do for the runbook.",
        [asked],
        columns,
        first="State",
        span=10,
        no_problem="No worker is lost or wedged.",
    )
