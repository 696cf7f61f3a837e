"""The numbers about celery-sentinel: is it connected, and what did it miss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana.kit import charts, links, marks, promql, style

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders import stat

_CONNECTION = {"0": ("cut off", style.BAD), "1": ("connected", style.GOOD)}


def alerts() -> stat.Panel:
    """Show how many alerts fire."""
    return charts.number(
        "Alerts firing",
        "Alerts of the pack that fire now; the table of alerts leads to their runbooks. Unknown: "
        "not even CeleryWatchdog fires, so Prometheus has not loaded the rules.",
        f"count({marks.FIRING}) or 0 * count({marks.WATCHDOG})",
        unit="short",
        steps=style.NONE_IS_GOOD,
    )


def connected() -> stat.Panel:
    """Show whether somebody hears the events."""
    return charts.number(
        "Event stream",
        "Whether at least one celery-sentinel of each job hears its broker. Cut off: nothing on "
        "these dashboards is current, see the runbook of CeleryBrokerDown.",
        promql.by("min", "", promql.recorded("job:celery_broker_up:max")),
        unit="none",
        steps=style.ALL_IS_GOOD,
        words=_CONNECTION,
        link=links.board("celery-sentinel"),
    )


def lag() -> stat.Panel:
    """Show how late events come."""
    return charts.number(
        "Event lag",
        "Worst delay of a heartbeat. Some seconds: the broker or we are overloaded, and counts "
        "come late. From 10 s on CelerySentinelLagging alerts.",
        promql.by("max", "", promql.raw("celery_sentinel_event_lag_seconds")),
        unit="s",
        steps=((None, style.GOOD), (2, style.WARNING), (10, style.BAD)),
        link=links.runbook("CelerySentinelLagging"),
    )


def missed() -> stat.Panel:
    """Show how many starts were not heard."""
    grown = promql.increase("celery_sentinel_events_missed_total", over=promql.WHOLE)
    return charts.number(
        "Starts missed",
        "Starts that workers count and nobody heard of, within the time that is shown. Counts are "
        "too low by as much: see the runbook of CelerySentinelLosingEvents.",
        f"round({promql.by('sum', '', grown)})",
        unit="short",
        steps=style.SOME_IS_WORTH_A_LOOK,
        link=links.runbook("CelerySentinelLosingEvents"),
    )


def gaps() -> stat.Panel:
    """Show how often the stream broke."""
    grown = promql.increase("celery_sentinel_stream_gaps_total", over=promql.WHOLE)
    return charts.number(
        "Breaks of the stream",
        "How often events may have been lost, within the time that is shown. The chart below says "
        "why; durable events close the holes on RabbitMQ.",
        f"round({promql.by('sum', '', grown)})",
        unit="short",
        steps=style.SOME_IS_WORTH_A_LOOK,
        link=links.runbook("CelerySentinelLosingEvents"),
    )


def count() -> stat.Panel:
    """Show how many celery-sentinels are scraped."""
    info = promql.raw("celery_sentinel_build_info")
    return charts.number(
        "Sentinels",
        "celery-sentinels that are scraped. Fewer than you run: see the runbook of "
        "CelerySentinelDown. One is enough to count; two survive the loss of one.",
        f"count(count by (job, instance) ({info}))",
        unit="short",
        steps=style.ALL_IS_GOOD,
        link=links.runbook("CelerySentinelDown"),
    )


def reloaded() -> stat.Panel:
    """Show whether the configuration is valid."""
    loaded = promql.raw("celery_sentinel_config_last_reload_successful")
    return charts.number(
        "Configuration",
        "Whether the configuration that was loaded last is valid. If not, the one before is in "
        "force, and the daemon would not start again: run celery-sentinel check-config.",
        promql.by("min", "", loaded),
        unit="none",
        steps=style.ALL_IS_GOOD,
        words={"0": ("not valid", style.BAD), "1": ("valid", style.GOOD)},
        link=links.runbook("CelerySentinelConfigReloadFailed"),
    )
