"""Metrics of what happened to the tasks."""

from __future__ import annotations

from functools import partial

from celery_sentinel.metrics.catalogue import metric

TASK = ("name", "queue_name")

_task = partial(metric.Metric, group="tasks", by_hostname=True)
_task_counter = partial(_task, type="counter", labels=TASK, zero_born=True)
_task_histogram = partial(_task, type="histogram", zero_born=True)

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
