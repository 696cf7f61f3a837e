"""Every metric the daemon exposes, declared once: the exposition, docs and rules read it here."""

# ruff: noqa: F403 -- the catalogue is its parts, one noun a file; their names are told apart by use
from typing import get_args

from celery_sentinel.metrics.catalogue import broker, objectives, queues, sentinel, tasks, workers
from celery_sentinel.metrics.catalogue.broker import *
from celery_sentinel.metrics.catalogue.metric import Group, Metric, Type
from celery_sentinel.metrics.catalogue.objectives import *
from celery_sentinel.metrics.catalogue.queues import *
from celery_sentinel.metrics.catalogue.sentinel import *
from celery_sentinel.metrics.catalogue.tasks import *
from celery_sentinel.metrics.catalogue.workers import *

_PARTS = (tasks, workers, queues, broker, objectives, sentinel)
_FOUND = [value for part in _PARTS for value in vars(part).values() if isinstance(value, Metric)]
# A part may hold metrics of another group, next to what they are about.
METRICS: tuple[Metric, ...] = tuple(
    sorted(_FOUND, key=lambda metric: get_args(Group).index(metric.group))
)

__all__ = ["METRICS", "Group", "Metric", "Type"]
