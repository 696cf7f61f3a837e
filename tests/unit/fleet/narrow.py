"""Fleets with hardly any room, and what fills it."""

from __future__ import annotations

import uuid as uuids
from typing import Any

from celery_sentinel.config import schema
from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import QUEUE, Stage

OTHER = "__other__"
HOUR = 3600.0


def limited(*, ttl: float = 24 * HOUR, by_hostname: bool = False, **limits: int) -> Stage:
    """Return a stage with small limits."""
    return Stage(config(ttl=ttl, by_hostname=by_hostname, **limits))


def config(*, ttl: float = 24 * HOUR, by_hostname: bool = False, **limits: int) -> schema.Config:
    """Return a configuration with small limits."""
    given = {"names": 100, "queues": 100, "workers": 100, **limits}
    labels = ("name", "queue_name", "hostname") if by_hostname else ("name", "queue_name")
    tasks = schema.Tasks(ttl=schema.Seconds(ttl), labels=labels)
    metrics = schema.Metrics(limits=schema.Limits(**given))
    return schema.Config(metrics=metrics, tasks=tasks)


def run(play: Stage, name: str, *, queue: str = QUEUE, **how: Any) -> None:
    """Play a whole task."""
    uuid = str(uuids.uuid4())
    play.sent(uuid, name=name, queue=queue)
    play.received(uuid, name=name)
    play.started(uuid)
    play.ended(how.pop("how", "succeeded"), uuid, **how)


def succeeded(play: Stage) -> dict[str, float]:
    """Return how many tasks of each name have succeeded."""
    return {labels[0]: n for labels, n in play.children(catalogue.TASK_SUCCEEDED).items()}


def wait(play: Stage, seconds: float = HOUR + 10) -> None:
    """Let time pass that makes what is silent idle; with longer steps we would have slept."""
    play.pass_time(seconds, step=5)
