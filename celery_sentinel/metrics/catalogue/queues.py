"""Metrics of the queues, the broker and the result backend."""

from __future__ import annotations

from functools import partial

from celery_sentinel.metrics.catalogue import metric

_ASKED = "poll of workers"
_READ = "poll of queues"
_queue = partial(metric.Metric, group="queues", type="gauge", labels=("queue_name",))

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
    help="Tasks that the workers consuming the queue can run at once, at most.",
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
BROKER_VISIBILITY_TIMEOUT = _queue(
    name="celery_broker_visibility_timeout_seconds",
    help="After how long a message not acknowledged is delivered again (Redis).",
    labels=(),
    unit="seconds",
    source="config",
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
