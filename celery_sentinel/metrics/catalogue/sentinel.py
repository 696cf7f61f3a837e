"""Metrics of the daemon itself: how far its own word can be trusted."""

from __future__ import annotations

from functools import partial

from celery_sentinel.metrics.catalogue import metric

_own = partial(metric.Metric, group="sentinel")
_own_counter = partial(_own, type="counter")
_own_gauge = partial(_own, type="gauge")

BUILD_INFO = _own_gauge(
    name="celery_sentinel_build_info",
    help="Versions of the daemon and of what it runs on.",
    labels=("version", "python", "celery", "kombu"),
    source="daemon",
)
EVENTS = _own_counter(
    name="celery_sentinel_events_total",
    help="Events received and applied, by type.",
    labels=("type",),
    source="receiver",
)
EVENTS_REJECTED = _own_counter(
    name="celery_sentinel_events_rejected_total",
    help="Events or whole messages that could not be used, by reason.",
    labels=("reason",),
    source="receiver",
)
EVENTS_MISSED = _own_counter(
    name="celery_sentinel_events_missed_total",
    help="Starts of tasks a worker counts in its heartbeats and we did not hear of.",
    labels=("hostname",),
    source="worker-heartbeat",
)
EVENTS_SALVAGED = _own_counter(
    name="celery_sentinel_messages_salvaged_total",
    help="Messages a strict decoder refuses that yielded their events all the same.",
    labels=("reason",),
    source="receiver",
)
STREAM_GAPS = _own_counter(
    name="celery_sentinel_stream_gaps_total",
    help="Breaks of the event stream, by reason; events in between are unknown to us.",
    labels=("reason",),
    source="receiver",
)
STREAM_GAP_SECONDS = _own_counter(
    name="celery_sentinel_stream_gap_seconds_total",
    help="How long the event stream was broken.",
    unit="seconds",
    source="receiver",
)
STREAM_RESUMPTIONS = _own_counter(
    name="celery_sentinel_stream_resumptions_total",
    help="Breaks of the connection over which a durable queue kept the events: no gaps.",
    source="receiver",
)
EVENT_LAG = _own_gauge(
    name="celery_sentinel_event_lag_seconds",
    help="Worst delay of a heartbeat in the last half minute, less its worker's clock skew.",
    unit="seconds",
    source="worker-heartbeat",
)
LAST_EVENT = _own_gauge(
    name="celery_sentinel_last_event_timestamp_seconds",
    help="When the last event was received, by our clock.",
    unit="seconds",
    source="receiver",
)
CONTROL_REQUESTS = _own_counter(
    name="celery_sentinel_control_requests_total",
    help="Requests to workers to send task events, by result.",
    labels=("result",),
    source="poller",
)
TRACKER_TASKS = _own_gauge(
    name="celery_sentinel_tracker_tasks",
    help="Task records held, ended ones in their time of grace included.",
    source="tracker",
)
TRACKER_EVICTIONS = _own_counter(
    name="celery_sentinel_tracker_evictions_total",
    help="Task records dropped before their task ended, by reason.",
    labels=("reason",),
    source="tracker",
)
ORPHAN_EVENTS = _own_counter(
    name="celery_sentinel_orphan_events_total",
    help="Events of tasks of which nothing had been heard before, by type.",
    labels=("type",),
    source="tracker",
)
WAIT_CLAMPS = _own_counter(
    name="celery_sentinel_wait_clamps_total",
    help="Waits taken as 0 that came out negative by more than 0.05 s: clocks differ.",
    source="tracker",
)
LABEL_OVERFLOW = _own_counter(
    name="celery_sentinel_label_overflow_total",
    help="How often something new came under __other__, since a label had reached its limit.",
    labels=("label",),
    source="fleet",
)
LABEL_FORGOTTEN = _own_counter(
    name="celery_sentinel_label_forgotten_total",
    help="How many values of a label made room for new ones: not heard of for long, or dead.",
    labels=("label",),
    source="fleet",
)
POLL_DURATION = _own_gauge(
    name="celery_sentinel_poll_duration_seconds",
    help="How long the last poll took.",
    labels=("poller",),
    unit="seconds",
    source="poller",
)
POLL_SUCCESS = _own_gauge(
    name="celery_sentinel_poll_success",
    help="1 if the last poll was answered; after three failures in a row its series are absent.",
    labels=("poller",),
    source="poller",
)
POLL_LAST_SUCCESS = _own_gauge(
    name="celery_sentinel_poll_last_success_timestamp_seconds",
    help="When a poll was last answered.",
    labels=("poller",),
    unit="seconds",
    source="poller",
)
SERIES = _own_gauge(
    name="celery_sentinel_series",
    help="Samples in the previous exposition.",
    source="exposition",
)
RENDER_DURATION = _own_gauge(
    name="celery_sentinel_render_duration_seconds",
    help="How long the previous exposition took to collect and render.",
    unit="seconds",
    source="exposition",
)
LOG_LINES_DROPPED = _own_counter(
    name="celery_sentinel_log_lines_dropped_total",
    help="Lines of the log that were not written: stderr is closed, or nobody reads it.",
    source="daemon",
)
STATE_RESTORED = _own_gauge(
    name="celery_sentinel_state_restored",
    help="1 if the state file of an earlier run was taken over at the start, with state.file.",
    source="daemon",
)
STATE_SNAPSHOT_TIMESTAMP = _own_gauge(
    name="celery_sentinel_state_snapshot_timestamp_seconds",
    help="When the last snapshot that could be written was begun.",
    unit="seconds",
    source="daemon",
)
STATE_SNAPSHOT_DURATION = _own_gauge(
    name="celery_sentinel_state_snapshot_duration_seconds",
    help="How long the last snapshot took to write, pauses included.",
    unit="seconds",
    source="daemon",
)
STATE_SNAPSHOT_SIZE = _own_gauge(
    name="celery_sentinel_state_snapshot_size_bytes",
    help="Size of the state file.",
    unit="bytes",
    source="daemon",
)
FAILURES = _own_counter(
    name="celery_sentinel_caught_failures_total",
    help="Failures the daemon caught and survived, by the part they came from.",
    labels=("part",),
    source="daemon",
)
RELOAD_SUCCESSFUL = _own_gauge(
    name="celery_sentinel_config_last_reload_successful",
    help="1 when the configuration last loaded was valid.",
    source="daemon",
)
RELOAD_TIMESTAMP = _own_gauge(
    name="celery_sentinel_config_last_reload_success_timestamp_seconds",
    help="When a valid configuration was last loaded.",
    unit="seconds",
    source="daemon",
)
WEB_CONNECTIONS_DROPPED = _own_counter(
    name="celery_sentinel_web_connections_dropped_total",
    help=(
        "Connections of HTTP clients that the daemon ended or could not take, or that broke "
        "amid an answer, by reason."
    ),
    labels=("reason",),
    source="web",
)
WEB_REQUESTS_REFUSED = _own_counter(
    name="celery_sentinel_web_requests_refused_total",
    help="Requests refused for their credentials, their body or by the rate limit, by reason.",
    labels=("reason",),
    source="web",
)
WEB_CONFIG_SUCCESSFUL = _own_gauge(
    name="celery_sentinel_web_config_last_reload_successful",
    help="1 while the web config file and its certificates, as they are now, are in force.",
    source="web",
)
WEB_CONFIG_TIMESTAMP = _own_gauge(
    name="celery_sentinel_web_config_last_reload_success_timestamp_seconds",
    help="When the web config file and its certificates were last loaded.",
    unit="seconds",
    source="web",
)
WEB_CERTIFICATE_EXPIRY = _own_gauge(
    name="celery_sentinel_web_certificate_expiry_timestamp_seconds",
    help="When the certificate that is presented to HTTP clients expires.",
    unit="seconds",
    source="web",
)
