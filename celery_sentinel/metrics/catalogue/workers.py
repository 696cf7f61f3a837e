"""Metrics of the workers and how they fare."""

from __future__ import annotations

from functools import partial

from celery_sentinel.metrics.catalogue import metric

_ASKED = "poll of workers"
_worker = partial(metric.Metric, group="workers", type="gauge", labels=("hostname",))

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
WORKER_CRASHES = _worker(
    type="counter",
    name="celery_worker_crashes_total",
    help="Those of the restarts before which the worker was heard and said no goodbye.",
    zero_born=True,
    source="worker-online, worker-heartbeat",
)
WORKER_NAME_SHARED = _worker(
    name="celery_worker_name_shared",
    help="1 while two processes use this node name: their numbers cannot be told apart.",
    source="worker-heartbeat, poll of workers",
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
    help="1 while the worker beats but seems stuck: it does not answer, consumes no queue any "
    "more, or is idle beside a backlog.",
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
    help="How many tasks the worker can run at once: the most it may have with --autoscale.",
    source="poll of workers, worker-heartbeat",
)
WORKER_POOL_SIZE = _worker(
    name="celery_worker_pool_size",
    help="How many tasks the worker's pool can run at once as it is now; --autoscale changes it.",
    source="poll of workers, worker-heartbeat",
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
