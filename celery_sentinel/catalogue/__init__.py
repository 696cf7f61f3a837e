"""Every metric the daemon exposes, declared once: the exposition, docs and rules read it here."""

# ruff: noqa: F403 -- the catalogue is its parts, one noun a file; their names are told apart by use
from celery_sentinel.catalogue import broker, objectives, queues, sentinel, tasks, workers
from celery_sentinel.catalogue.broker import *
from celery_sentinel.catalogue.metric import Group, Metric, Type
from celery_sentinel.catalogue.objectives import *
from celery_sentinel.catalogue.queues import *
from celery_sentinel.catalogue.sentinel import *
from celery_sentinel.catalogue.tasks import *
from celery_sentinel.catalogue.workers import *

METRICS: tuple[Metric, ...] = tuple(
    value
    for part in (tasks, workers, queues, broker, objectives, sentinel)
    for value in vars(part).values()
    if isinstance(value, Metric)
)

__all__ = ["METRICS", "Group", "Metric", "Type"]
