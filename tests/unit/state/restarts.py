"""Restarts a fleet on a stage by way of a state file's frames, and says what shows of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery_sentinel.metrics import catalogue
from celery_sentinel.metrics.collectors import queues, sentinel, tasks, workers
from celery_sentinel.state import restore, snapshot
from tests.unit.fleet import stage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from celery_sentinel.config import schema
    from celery_sentinel.metrics import samples

ORIGIN = snapshot.Origin("redis://localhost:6379/0 celeryev", "a-line", stage.EPOCH)
BOOT = 50_000.0  # how much more the monotonic clock of the next process shows
Shown = dict[tuple[str, stage.Labels], Any]

# What is unknown after a restart until it is heard or asked again, or is about the restart.
NOT_KEPT = {
    catalogue.WORKER_UP,
    catalogue.WORKER_RESTARTS,
    catalogue.WORKER_CRASHES,
    catalogue.WORKER_RESPONDING,
    catalogue.WORKER_WEDGED,
    catalogue.WORKER_TASKS_RESERVED,
    catalogue.WORKER_TASKS_SCHEDULED,
    catalogue.QUEUE_CONSUMERS,
    catalogue.CONSUMERS_COMPAT,
    catalogue.QUEUE_WORKERS,
    catalogue.WORKERS_COMPAT,
    catalogue.QUEUE_SLOTS,
    catalogue.PROCESSES_COMPAT,
    catalogue.QUEUE_SLOTS_BUSY,
    catalogue.EVENT_LAG,
    catalogue.STREAM_GAP_SECONDS,
}


def frames(play: stage.Stage) -> list[bytes]:
    """Return a snapshot of what is on the stage, overdue records swept: a restart drops them."""
    for _ in range(2):
        play.fleet.records.sweep(play.now, play.wall)
    taken = snapshot.Snapshot(play.fleet, play.stream, rest=lambda: None)
    return list(taken.frames(ORIGIN, now=play.now, wall=play.wall, final=True))


def restored(
    taken: Iterable[bytes],
    play: stage.Stage,
    config: schema.Config | None,
    *,
    away: float,
    kept: bool = False,
) -> stage.Stage:
    """Return a new stage with what was taken from ``play``, in a process ``away`` seconds later."""
    new = stage.Stage(config)
    new.now, new.wall = play.now + BOOT + away, play.wall + away
    restoration = restore.Restoration(new.fleet, now=new.now, wall=new.wall)
    head = restoration.read(iter(taken), broker=ORIGIN.broker)
    restore.stream_counts(new.stream, head.stream, away=restoration.away, now=new.now, kept=kept)
    return new


def restarted(
    play: stage.Stage,
    config: schema.Config | None = None,
    *,
    away: float = 0.0,
    kept: bool = False,
) -> stage.Stage:
    """Return a stage on which a daemon goes on that was ``away`` for so many seconds.

    ``kept``: a durable queue may have kept the events meanwhile.
    """
    return restored(frames(play), play, config, away=away, kept=kept)


def shown(play: stage.Stage) -> Shown:
    """Return every sample that a restart should leave as it was."""
    collected: list[samples.Family] = [
        *tasks.collect(play.fleet, compat=True),
        *workers.collect(play.fleet),
        *queues.collect(play.fleet, play.stream, compat=True),
        *sentinel.collect(play.fleet, play.stream),
    ]
    return {
        (family.metric.name, labels): value
        for family in collected
        if family.metric not in NOT_KEPT
        for labels, value in family.children
    }
