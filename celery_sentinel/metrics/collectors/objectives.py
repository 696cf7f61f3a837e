"""What is asked of tasks and queues, as metrics beside those it is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.metrics import catalogue, samples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from celery_sentinel.fleet import model, objectives

Gathered = dict[catalogue.Metric, list[tuple[tuple[str, ...], float]]]

_OF_A_TASK = {
    "failure_ratio": catalogue.TASK_OBJECTIVE_FAILURE_RATIO,
    "retry_ratio": catalogue.TASK_OBJECTIVE_RETRY_RATIO,
    "runtime_seconds": catalogue.TASK_OBJECTIVE_RUNTIME,
    "stuck_seconds": catalogue.TASK_OBJECTIVE_STUCK,
    "silence_seconds": catalogue.TASK_OBJECTIVE_SILENCE,
    "minimum_runs": catalogue.TASK_OBJECTIVE_MINIMUM_RUNS,
    "failure_budget": catalogue.TASK_OBJECTIVE_FAILURE_BUDGET,
}
_OF_A_QUEUE = {
    "length": catalogue.QUEUE_OBJECTIVE_LENGTH,
    "age_seconds": catalogue.QUEUE_OBJECTIVE_AGE,
    "workers": catalogue.QUEUE_OBJECTIVE_WORKERS,
}


def collect(fleet: model.Fleet) -> Iterator[samples.Family]:
    """Yield the objectives of every task and queue that is known or named by a rule."""
    gathered: Gathered = {metric: [] for metric in (*_OF_A_TASK.values(), *_OF_A_QUEUE.values())}
    with fleet.lock.reading():
        asked = fleet.objectives
        names = list(fleet.series.names)
        queues = [(queue.name, queue.role) for queue in fleet.queues]
    for name in names:
        _add(name, asked.of_task(name), _OF_A_TASK, gathered)
    for name, role in queues:
        _add(name, asked.of_queue(name, role), _OF_A_QUEUE, gathered)
    for metric, children in gathered.items():
        yield samples.family(metric, children)


def _add(
    name: str,
    limits: objectives.Limits,
    metrics: dict[str, catalogue.Metric],
    gathered: Gathered,
) -> None:
    for key, severity, value in limits:
        metric = metrics[key]
        labels = (name, severity) if len(metric.labels) > 1 else (name,)
        gathered[metric].append((labels, value))
