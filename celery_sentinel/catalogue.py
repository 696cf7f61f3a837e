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
_ASKED = "poll of workers"
_READ = "poll of queues"
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
    help="Celery version, operating system and pool of the worker.",
    labels=("hostname", "version", "system", "pool"),
    source="worker-heartbeat, poll of workers",
)
WORKER_RESPONDING = _worker(
    name="celery_worker_responding",
    help="1 if the worker answered the last poll, 0 if it beats but did not answer.",
    source=_ASKED,
)
WORKER_WEDGED = _worker(
    name="celery_worker_wedged",
    help="1 while the worker beats but seems stuck: polls unanswered, or idle beside a backlog.",
    labels=("hostname", "reason"),
    source="poll of workers and queues",
)
WORKER_TASKS_RESERVED = _worker(
    name="celery_worker_tasks_reserved",
    help="Tasks the worker has taken from its queues and not begun.",
    source=_ASKED,
)
WORKER_TASKS_SCHEDULED = _worker(
    name="celery_worker_tasks_scheduled",
    help="Tasks the worker holds until their eta.",
    source=_ASKED,
)
WORKER_CONCURRENCY = _worker(
    name="celery_worker_concurrency",
    help="How many tasks the worker can run at once, whatever its pool.",
    source=_ASKED,
)
WORKER_PREFETCH_COUNT = _worker(
    name="celery_worker_prefetch_limit",
    help="How many messages the worker takes in advance.",
    source=_ASKED,
)
WORKER_MAX_RSS = _worker(
    name="celery_worker_max_rss_bytes",
    help="Most memory the worker's main process has ever held.",
    unit="bytes",
    source=_ASKED,
)

# --- queues --------------------------------------------------------------------------------
QUEUE_INFO = _queue(
    name="celery_queue_info",
    help="A queue that is known, from where, and what it is for.",
    labels=("queue_name", "source", "role"),
    source="config, task-sent, poll of workers, broker",
)
QUEUE_LENGTH = _queue(
    name="celery_queue_length",
    help="Messages ready in the queue; on Redis the sum over its priorities.",
    source=_READ,
)
QUEUE_PRIORITY_LENGTH = _queue(
    name="celery_queue_priority_length",
    help="Messages ready in one of the queue's priority lists (Redis; 0 is served first).",
    labels=("queue_name", "priority"),
    source=_READ,
)
QUEUE_UNACKED = _queue(
    name="celery_queue_unacked",
    help="Messages delivered and not acknowledged (RabbitMQ with its management API).",
    source=_READ,
)
QUEUE_OLDEST_MESSAGE = _queue(
    name="celery_queue_oldest_message_timestamp_seconds",
    help="Since when the oldest ready message has waited; if observed, at least since then.",
    labels=("queue_name", "source"),
    unit="seconds",
    source=_READ,
)
QUEUE_CONSUMERS = _queue(
    name="celery_queue_consumers",
    help="Consumers of the queue: as the broker counts them, else the workers that consume it.",
    source="poll of queues, poll of workers",
)
QUEUE_WORKERS = _queue(
    name="celery_queue_workers",
    help="Workers that are up and consume the queue.",
    source=_ASKED,
)
QUEUE_SLOTS = _queue(
    name="celery_queue_worker_slots",
    help="Tasks that the workers consuming the queue can run at once.",
    source=_ASKED,
)
QUEUE_SLOTS_BUSY = _queue(
    name="celery_queue_worker_slots_busy",
    help="Slots of the workers consuming the queue that run a task, of whichever queue.",
    source="poll of workers, worker-heartbeat",
)
CONSUMERS_COMPAT = _queue(
    name="celery_active_consumer_count",
    help="Alias of celery_queue_consumers.",
    compat=True,
    source="poll of queues, poll of workers",
)
WORKERS_COMPAT = _queue(
    name="celery_active_worker_count",
    help="Alias of celery_queue_workers.",
    compat=True,
    source=_ASKED,
)
PROCESSES_COMPAT = _queue(
    name="celery_active_process_count",
    help="Alias of celery_queue_worker_slots.",
    compat=True,
    source=_ASKED,
)
BROKER_UP = _queue(
    name="celery_broker_up",
    help="1 while we are subscribed to the broker's event stream.",
    labels=("transport",),
    source="receiver",
)
BROKER_ROUND_TRIP = _queue(
    name="celery_broker_round_trip_seconds",
    help="Time the broker took to answer the smallest question there is.",
    labels=(),
    unit="seconds",
    source=_READ,
)
BROKER_UNACKED = _queue(
    name="celery_broker_unacked_messages",
    help="Messages not acknowledged, of all queues, with those workers hold for their eta (Redis).",
    labels=(),
    source=_READ,
)
BROKER_OLDEST_UNACKED = _queue(
    name="celery_broker_oldest_unacked_timestamp_seconds",
    help="When the oldest message not acknowledged was delivered (Redis).",
    labels=(),
    unit="seconds",
    source=_READ,
)
BROKER_DELAYED = _queue(
    name="celery_broker_delayed_messages",
    help="Messages in native delayed delivery, of all queues (RabbitMQ).",
    labels=(),
    source=_READ,
)
RESULT_BACKEND_UP = _queue(
    name="celery_result_backend_up",
    help="1 if the result backend answered the last poll.",
    labels=("transport",),
    source="poll of the result backend",
)
RESULT_BACKEND_ROUND_TRIP = _queue(
    name="celery_result_backend_round_trip_seconds",
    help="Time the result backend took to answer.",
    labels=(),
    unit="seconds",
    source="poll of the result backend",
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
