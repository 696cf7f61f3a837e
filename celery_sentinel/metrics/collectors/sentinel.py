"""What the daemon says about itself: how far its own word can be trusted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from celery_sentinel.metrics import catalogue, samples

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from celery_sentinel.fleet import model
    from celery_sentinel.telemetry import subscription


def collect(fleet: model.Fleet, connection: subscription.Subscription) -> Iterator[samples.Family]:
    """Yield the families about stream, tracker and limits."""
    with fleet.lock.reading():
        tracker = fleet.tracker
        counts = dict(fleet.event_counts)
        orphans, evictions = dict(tracker.orphans), dict(fleet.records.evictions)
        records, clamps = len(fleet.records.by_id), tracker.clamped_waits
        lag, last = fleet.workers.lag(), fleet.last_event_at
        overflow, forgotten = _overflow(fleet), fleet.room.forgotten
        missed = {one.hostname: one.missed for one in fleet.workers if one.missed is not None}
        rejected = dict(connection.rejected)
        rejected["malformed"] = rejected.get("malformed", 0) + fleet.records.malformed
        rejected["unknown_type"] = rejected.get("unknown_type", 0) + fleet.unknown_types
    yield _by(catalogue.EVENTS, counts)
    yield _by(catalogue.EVENTS_REJECTED, rejected)
    yield _by(catalogue.EVENTS_MISSED, missed)
    yield _by(catalogue.EVENTS_SALVAGED, dict(connection.salvaged))
    yield _by(catalogue.STREAM_GAPS, dict(connection.gaps))
    gap_seconds = connection.gap_seconds(time.monotonic())
    yield samples.single(catalogue.STREAM_GAP_SECONDS, gap_seconds)
    yield samples.single(catalogue.STREAM_RESUMPTIONS, connection.resumptions)
    yield samples.single(catalogue.EVENT_LAG, lag)
    yield samples.single(catalogue.LAST_EVENT, last)
    yield _by(catalogue.CONTROL_REQUESTS, dict(connection.control))
    yield samples.single(catalogue.TRACKER_TASKS, records)
    yield _by(catalogue.TRACKER_EVICTIONS, evictions)
    yield _by(catalogue.ORPHAN_EVENTS, orphans)
    yield samples.single(catalogue.WAIT_CLAMPS, clamps)
    yield _by(catalogue.LABEL_OVERFLOW, overflow)
    yield _by(catalogue.LABEL_FORGOTTEN, forgotten)
    yield _by(catalogue.FAILURES, dict(connection.failures))
    yield from _polls(fleet)


def _polls(fleet: model.Fleet) -> Iterator[samples.Family]:
    with fleet.lock.reading():
        known = {
            name: (poll.duration, poll.success, poll.last_success)
            for name, poll in fleet.polls.items()
        }
    for index, metric in enumerate(
        (catalogue.POLL_DURATION, catalogue.POLL_SUCCESS, catalogue.POLL_LAST_SUCCESS)
    ):
        found = {name: figures[index] for name, figures in known.items()}
        yield _by(metric, {name: float(v) for name, v in found.items() if v is not None})


def _overflow(fleet: model.Fleet) -> dict[str, int]:
    table = fleet.series
    return {
        "name": table.names.overflow,
        "queue_name": table.queues.overflow + fleet.queues.overflow,
        "hostname": table.hostnames.overflow + fleet.workers.overflow,
        "exception": table.exception_overflow,
        "series": table.series_overflow,
    }


def _by(metric: catalogue.Metric, counts: Mapping[str, float]) -> samples.Family:
    """Return a family with one label whose values are the keys."""
    return samples.family(metric, [((key,), value) for key, value in counts.items()])
