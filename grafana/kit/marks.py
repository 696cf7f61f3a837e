"""What happened when: alerts that fired, and deployments, as far as workers show them."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

from grafana.kit import promql, style

# An alert about all jobs, or about none that is left, has no job.
FIRING = (
    'ALERTS{alertstate="firing", alertname=~"Celery.+", alertname!="CeleryWatchdog", job=~"$job|"}'
)

# Always fires where the rules are loaded; about no job.
WATCHDOG = 'ALERTS{alertstate="firing", alertname="CeleryWatchdog", job=~"$job|"}'


class _Query(model.AnnotationQuery):
    """Adds what the Prometheus data source reads and the SDK's type lacks."""

    title_format = ""
    text_format = ""
    tag_keys = ""

    def to_json(self) -> dict[str, object]:
        extra = {
            "titleFormat": self.title_format,
            "textFormat": self.text_format,
            "tagKeys": self.tag_keys,
            "step": "15s",
        }
        return super().to_json() | extra


class _Builder(build.AnnotationQuery):
    def __init__(self, name: str, expr: str, color: str, *, title: str, text: str = "") -> None:
        super().__init__()
        self._internal = query = _Query()
        query.title_format, query.text_format = title, text
        self.name(name).expr(expr).icon_color(color)
        self.datasource(style.DATASOURCE).enable(True).hide(False)


def alerts() -> build.AnnotationQuery:
    """Mark the times in which alerts of the pack fired."""
    expr = f"max by (alertname, severity, name, queue_name, hostname) ({FIRING})"
    text = "{{severity}} {{name}} {{queue_name}} {{hostname}}"
    return _Builder("Alerts", expr, "red", title="{{alertname}}", text=text)


def restarts(*matchers: str) -> build.AnnotationQuery:
    """Mark where a worker came back as another process."""
    grown = promql.increase("celery_worker_restarts_total", *matchers, over="2m")
    expr = f"{promql.by('sum', 'hostname', grown)} > 0"
    return _Builder("Restarts", expr, "purple", title="Worker {{hostname}} restarted")


def versions(*matchers: str) -> build.AnnotationQuery:
    """Mark where a worker came to run another version of Celery."""
    info = promql.raw("celery_worker_info", *matchers)
    there = f"group by (hostname, version) ({info})"
    before = f"group by (hostname, version) ({info} offset 2m)"
    known = f"group by (hostname) ({info} offset 2m)"
    expr = f"{there} unless {before} and on (hostname) {known}"
    title = "Worker {{hostname}} runs Celery {{version}}"
    return _Builder("Versions", expr, "blue", title=title)


def sentinels() -> build.AnnotationQuery:
    """Mark where a celery-sentinel was started; its counters begin anew there."""
    info = promql.raw("celery_sentinel_build_info")
    started = promql.raw("process_start_time_seconds")
    expr = f"time() - {started} < 120 and ignoring (version, python, celery, kombu) {info}"
    return _Builder("Sentinel started", expr, "blue", title="celery-sentinel {{instance}} started")
