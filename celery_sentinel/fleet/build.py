"""Makes the parts of the model as the configuration wants them."""

from __future__ import annotations

import glob
from typing import TYPE_CHECKING

from celery_sentinel.config import schema
from celery_sentinel.fleet import (
    eviction,
    objectives,
    queues,
    task_exceptions,
    task_records,
    task_series,
    worker_replies,
)

if TYPE_CHECKING:
    from celery_sentinel.fleet import missed_events, model

_IDLE = 3600.0  # seconds without a word after which a name makes room where there is none
_ROUNDS = 3  # of polls, in which one that lives is heard of


def ignored(config: schema.Config) -> tuple[str, ...]:
    """Return the globs of queues to leave out, our own event queue and those like it included."""
    return (*config.queues.ignore, f"{glob.escape(config.events.queue_prefix)}.*")


def watched(config: schema.Config) -> tuple[str, ...]:
    """Return the queues known from the start: who sets an objective wants it measured."""
    return (*config.queues.watch, *objectives.queues_named(config))


def queue_table(config: schema.Config) -> queues.QueueTable:
    """Return the table of queues, those of the configuration in it."""
    return queues.QueueTable(
        limit=config.metrics.limits.queues,
        watch=watched(config),
        ignore=ignored(config),
        dead_letter=config.queues.dead_letter,
        lately=_ROUNDS * max(config.polling.workers, config.polling.queues),
        after=min(_IDLE, config.queues.forget_after),
    )


def room_of(fleet: model.Fleet, config: schema.Config) -> eviction.Room:
    """Return what makes room in the tables of a fleet."""
    return eviction.Room(
        series_table=fleet.series,
        queue_table=fleet.queues,
        worker_table=fleet.workers,
        after=min(_IDLE, config.tasks.ttl),
        ttl=config.tasks.ttl,
        told_for=_ROUNDS * config.polling.workers,
        on_gone=fleet.tracker.forget,
    )


def answers_of(
    fleet: model.Fleet, config: schema.Config, audit: missed_events.MissedEvents
) -> worker_replies.Answers:
    """Return what takes over what the workers of a fleet answer."""
    return worker_replies.Answers(
        worker_table=fleet.workers,
        queue_table=fleet.queues,
        record_table=fleet.records,
        tracker=fleet.tracker,
        audit=audit,
        interval=config.polling.workers,
    )


def classifier(config: schema.Config) -> task_exceptions.Classifier:
    """Return what sorts exceptions, the rules of the configuration first."""
    return task_exceptions.Classifier(
        (rule.match, rule.category) for rule in config.tasks.categories
    )


def series_table(config: schema.Config) -> task_series.SeriesTable:
    """Return the table of series; its last rule gives the default buckets."""
    limits, settings = config.metrics.limits, config.tasks
    rules = [
        task_series.BucketRule(rule.match, rule.runtime, rule.queue_wait)
        for rule in (*settings.buckets, schema.TaskBuckets())
    ]
    return task_series.SeriesTable(
        names=limits.names,
        queues=limits.queues,
        hostnames=limits.workers,
        exceptions=limits.exceptions,
        series=limits.series,
        rules=rules,
        prefetch_bounds=settings.prefetch_buckets,
        by_hostname="hostname" in settings.labels,
    )


def record_table(config: schema.Config) -> task_records.RecordTable:
    """Return the table of open and just ended tasks."""
    settings = config.tasks
    return task_records.RecordTable(
        limit=settings.max_records, ttl=settings.ttl, grace=settings.grace
    )
