"""Metrics of how the broker fares: its memory, its clients, its alarms, what it refuses."""

from __future__ import annotations

from functools import partial

from celery_sentinel.metrics.catalogue import metric

_READ = "poll of queues"
_broker = partial(metric.Metric, group="queues", type="gauge", source=_READ)

BROKER_INFO = _broker(
    name="celery_broker_info",
    help="What the broker is, as it says of itself; empty is unknown.",
    labels=("product", "version", "role", "mode", "eviction_policy"),
)
BROKER_WRITABLE = _broker(
    name="celery_broker_writable",
    help="1 if the broker takes messages, 0 if it refuses or blocks them; absent if unknown.",
)
BROKER_TROUBLE = _broker(
    name="celery_broker_trouble",
    help="1 while something is wrong with the broker, or it refuses what we ask, by reason.",
    labels=("reason",),
    source="receiver, polls",
)
BROKER_ALARM = _broker(
    name="celery_broker_alarm",
    help="1 while the alarm is raised: publishers are blocked (RabbitMQ).",
    labels=("alarm",),
)
BROKER_MEMORY_USED = _broker(
    name="celery_broker_memory_used_bytes",
    help="Memory of the broker; of several nodes that of the one nearest to its limit.",
    unit="bytes",
)
BROKER_MEMORY_MAX = _broker(
    name="celery_broker_memory_max_bytes",
    help="Limit of that memory; absent where there is none.",
    unit="bytes",
)
BROKER_EVICTED_KEYS = _broker(
    name="celery_broker_evicted_keys_total",
    type="counter",
    help="Keys that the broker has thrown away for want of memory since its start (Redis).",
)
BROKER_CLIENTS = _broker(
    name="celery_broker_clients",
    help="Connections of clients to the broker.",
)
BROKER_CLIENTS_MAX = _broker(
    name="celery_broker_clients_max",
    help="How many the broker allows; absent where it does not say.",
)
QUEUE_UNREADABLE = _broker(
    name="celery_queue_unreadable",
    help="1 while a queue cannot be counted, since the broker has something else at its key.",
    labels=("queue_name", "reason"),
)
POLL_FAILURES = metric.Metric(
    group="sentinel",
    type="counter",
    name="celery_sentinel_poll_failures_total",
    help="Polls that failed, by reason.",
    labels=("poller", "reason"),
    source="poller",
)
