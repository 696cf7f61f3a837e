"""Every metric the daemon exposes, declared once: the exposition, docs and rules read it here."""

from __future__ import annotations

from functools import partial
from typing import Literal

import msgspec

Type = Literal["counter", "gauge", "histogram"]
Group = Literal["tasks", "workers", "queues", "sentinel"]


class Metric(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One metric.

    ``name`` is the name of its samples in the text format (a counter ends in ``_total``);
    ``source`` is the event or poll it is drawn from. A child of a ``zero_born`` metric is
    exposed as 0 before its value, so that ``increase()`` sees its first step; counters that
    carry a value from before we watched are not. A ``by_hostname`` metric gains the label
    ``hostname`` when ``tasks.labels`` asks for it; a ``compat`` one appears only with
    ``metrics.compat``.
    """

    group: Group
    type: Type
    name: str
    help: str
    source: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    zero_born: bool = False
    by_hostname: bool = False
    compat: bool = False

    @property
    def family(self) -> str:
        """The name OpenMetrics gives the family: a counter's without ``_total``."""
        return self.name.removesuffix("_total") if self.type == "counter" else self.name


TASK = ("name", "queue_name")

_task = partial(Metric, group="tasks", by_hostname=True)
_task_counter = partial(_task, type="counter", labels=TASK, zero_born=True)
_task_histogram = partial(_task, type="histogram", zero_born=True)
_worker = partial(Metric, group="workers", type="gauge", labels=("hostname",))
_queue = partial(Metric, group="queues", type="gauge", labels=("queue_name",))
_own = partial(Metric, group="sentinel")
_own_counter = partial(_own, type="counter")
_own_gauge = partial(_own, type="gauge")

# --- tasks ---------------------------------------------------------------------------------
TASK_SENT = _task_counter(
    name="celery_task_sent_total",
    help="Tasks sent, as far as producers have task_send_sent_event on.",
    source="task-sent",
)
TASK_RECEIVED = _task_counter(
    name="celery_task_received_total",
    help="Tasks received by a worker.",
    source="task-received",
)
TASK_STARTED = _task_counter(
    name="celery_task_started_total",
    help="Tasks whose execution started.",
    source="task-started",
)
TASK_SUCCEEDED = _task_counter(
    name="celery_task_succeeded_total",
    help="Tasks that ended well.",
    source="task-succeeded",
)
TASK_FAILED = _task_counter(
    name="celery_task_failed_total",
    help="Tasks that ended in an exception, by its class and by what heals it.",
    labels=(*TASK, "exception", "category"),
    source="task-failed",
)
TASK_RETRIED = _task_counter(
    name="celery_task_retried_total",
    help="Attempts that ended in a retry, by the class of the exception.",
    labels=(*TASK, "exception"),
    source="task-retried",
)
TASK_REJECTED = _task_counter(
    name="celery_task_rejected_total",
    help="Tasks rejected by themselves or by their worker.",
    labels=(*TASK, "requeue"),
    source="task-rejected",
)
TASK_REVOKED = _task_counter(
    name="celery_task_revoked_total",
    help="Tasks revoked: expired, terminated while running, or revoked before they ran.",
    labels=(*TASK, "reason"),
    source="task-revoked",
)
TASK_CANCELLED = _task_counter(
    name="celery_task_cancelled_total",
    help="Tasks cancelled by their worker on connection loss or shutdown.",
    source="task-cancelled",
)
TASK_LOST = _task_counter(
    name="celery_task_lost_total",
    help="Tasks of which no end was heard: their worker was lost, or tasks.ttl ran out.",
    labels=(*TASK, "reason"),
    source="worker liveness, tracker",
)
TASK_REDELIVERED = _task_counter(
    name="celery_task_redelivered_total",
    help="Tasks received again without a retry: visibility time-out, or a crash with acks_late.",
    source="task-received",
)
TASK_RUNTIME = _task_histogram(
    name="celery_task_runtime_seconds",
    help="Run time of tasks: as the worker measured it if succeeded, start to end if failed.",
    labels=(*TASK, "state"),
    unit="seconds",
    source="task-succeeded, task-failed",
)
TASK_QUEUE_WAIT = _task_histogram(
    name="celery_task_queue_wait_seconds",
    help="From sent, or from its eta if later, to started. Needs task-sent events.",
    labels=TASK,
    unit="seconds",
    source="task-sent, task-started",
)
TASK_PREFETCH_WAIT = _task_histogram(
    name="celery_task_prefetch_wait_seconds",
    help="From received, or from its eta if later, to started: time spent inside a worker.",
    labels=("queue_name",),
    unit="seconds",
    by_hostname=False,
    source="task-received, task-started",
)
TASK_RUNTIME_COMPAT = _task_histogram(
    name="celery_task_runtime",
    help="Alias of celery_task_runtime_seconds for succeeded tasks.",
    labels=TASK,
    compat=True,
    source="task-succeeded",
)
TASK_QUEUE_WAIT_COMPAT = _task_histogram(
    name="celery_task_queue_wait_time",
    help="Alias of celery_task_queue_wait_seconds.",
    labels=TASK,
    compat=True,
    source="task-sent, task-started",
)
TASKS_IN_FLIGHT = _task(
    type="gauge",
    name="celery_tasks_in_flight",
    help="Tasks the tracker holds that have not ended, by how far they have come.",
    labels=(*TASK, "state"),
    source="tracker",
)
TASK_OLDEST_STARTED = _task(
    type="gauge",
    name="celery_task_oldest_started_timestamp_seconds",
    help="Start of the task of that name that has been running longest; absent when none runs.",
    labels=TASK,
    unit="seconds",
    source="tracker",
)
TASK_LAST_EVENT = _task(
    type="gauge",
    name="celery_task_last_event_timestamp_seconds",
    help="When a task of that name was last sent, succeeded or failed.",
    labels=(*TASK, "event"),
    unit="seconds",
    source="task-sent, task-succeeded, task-failed",
)

# --- workers -------------------------------------------------------------------------------
WORKER_UP = _worker(
    name="celery_worker_up",
    help="1 while the worker is heard, 0 when it fell silent without a goodbye.",
    source="worker-heartbeat",
)
WORKER_LAST_HEARTBEAT = _worker(
    name="celery_worker_last_heartbeat_timestamp_seconds",
    help="When the worker's last heartbeat was received, by our clock.",
    unit="seconds",
    source="worker-heartbeat",
)
WORKER_TASKS_ACTIVE = _worker(
    name="celery_worker_tasks_active",
    help="Tasks the worker says it is running.",
    source="worker-heartbeat",
)
WORKER_TASKS_PROCESSED = _worker(
    type="counter",
    name="celery_worker_tasks_processed_total",
    help="Tasks the worker says it has started, over its restarts.",
    source="worker-heartbeat",
)
WORKER_LOAD_AVERAGE = _worker(
    name="celery_worker_load_average",
    help="Load average of the worker's host.",
    labels=("hostname", "window"),
    source="worker-heartbeat",
)
WORKER_START = _worker(
    name="celery_worker_start_timestamp_seconds",
    help="When the worker came online; absent for one that was there before we were.",
    unit="seconds",
    source="worker-online",
)
WORKER_RESTARTS = _worker(
    type="counter",
    name="celery_worker_restarts_total",
    help="How often a node name came back with another process id.",
    zero_born=True,
    source="worker-online, worker-heartbeat",
)
WORKER_LOST = _worker(
    type="counter",
    name="celery_worker_lost_total",
    help="Workers that fell silent without saying goodbye.",
    labels=(),
    source="worker liveness",
)
WORKER_EVENTS_ENABLED = _worker(
    name="celery_worker_events_enabled",
    help="0 when the worker starts tasks but sends no task events; absent until one is known.",
    source="worker-heartbeat",
)
WORKER_CLOCK_SKEW = _worker(
    name="celery_worker_clock_skew_seconds",
    help="Estimate of how far the worker's clock is behind ours (negative: ahead).",
    unit="seconds",
    source="worker-heartbeat",
)
WORKER_INFO = _worker(
    name="celery_worker_info",
    help="Celery version and operating system of the worker.",
    labels=("hostname", "version", "system"),
    source="worker-heartbeat",
)

# --- queues --------------------------------------------------------------------------------
QUEUE_INFO = _queue(
    name="celery_queue_info",
    help="A queue that is known, from where, and what it is for.",
    labels=("queue_name", "source", "role"),
    source="config, task-sent",
)
BROKER_UP = _queue(
    name="celery_broker_up",
    help="1 while we are subscribed to the broker's event stream.",
    labels=("transport",),
    source="receiver",
)

# --- sentinel ------------------------------------------------------------------------------
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
    help="Waits that came out negative (clocks differ) and were taken as 0.",
    source="tracker",
)
LABEL_OVERFLOW = _own_counter(
    name="celery_sentinel_label_overflow_total",
    help="How often something new came under __other__, since a label had reached its limit.",
    labels=("label",),
    source="fleet",
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

METRICS: tuple[Metric, ...] = tuple(
    value for value in dict(vars()).values() if isinstance(value, Metric)
)
