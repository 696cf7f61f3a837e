"""Objectives: the numbers that alert rules compare with, so that nobody edits a rule."""

from __future__ import annotations

from functools import partial

from celery_sentinel.metrics.catalogue import metric

_task = partial(
    metric.Metric, group="objectives", type="gauge", labels=("name", "severity"), source="config"
)
_queue = partial(_task, labels=("queue_name", "severity"))

TASK_OBJECTIVE_FAILURE_RATIO = _task(
    name="celery_task_objective_failure_ratio",
    help="The share of the task's runs that may fail.",
    unit="ratio",
)
TASK_OBJECTIVE_RETRY_RATIO = _task(
    name="celery_task_objective_retry_ratio",
    help="The share of the task's runs that may end in a retry.",
    unit="ratio",
)
TASK_OBJECTIVE_RUNTIME = _task(
    name="celery_task_objective_runtime_seconds",
    help="How long 95 % of the task's runs may take at most.",
    unit="seconds",
)
TASK_OBJECTIVE_STUCK = _task(
    name="celery_task_objective_stuck_seconds",
    help="How long a single run may last before it counts as stuck.",
    unit="seconds",
)
TASK_OBJECTIVE_SILENCE = _task(
    name="celery_task_objective_silence_seconds",
    help="How long the task may go without a run that succeeds.",
    unit="seconds",
)
TASK_OBJECTIVE_MINIMUM_RUNS = _task(
    name="celery_task_objective_minimum_runs",
    help="How many runs it takes before a ratio of the task is judged.",
    labels=("name",),
)
TASK_OBJECTIVE_FAILURE_BUDGET = _task(
    name="celery_task_objective_failure_budget_ratio",
    help="The share of the task's runs that may fail in the long run.",
    labels=("name",),
    unit="ratio",
)
QUEUE_OBJECTIVE_LENGTH = _queue(
    name="celery_queue_objective_length",
    help="How many messages may wait in the queue.",
)
QUEUE_OBJECTIVE_AGE = _queue(
    name="celery_queue_objective_age_seconds",
    help="How long the queue's oldest message may have waited.",
    unit="seconds",
)
QUEUE_OBJECTIVE_WORKERS = _queue(
    name="celery_queue_objective_workers",
    help="How many workers must consume the queue at least.",
)
