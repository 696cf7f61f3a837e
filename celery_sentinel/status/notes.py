"""Says in plain words why something may be missing or wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.fleet import labels
from celery_sentinel.status import broker_notes, content_types, limits, worker_notes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from celery_sentinel import poll_results
    from celery_sentinel.fleet import model, task_series
    from celery_sentinel.fleet.worker import Worker
    from celery_sentinel.telemetry import subscription


def build(
    fleet: model.Fleet,
    connection: subscription.Subscription,
    known: list[Worker],
    all_series: list[task_series.TaskSeries],
    now: float,
    *,
    troubles: Sequence[poll_results.Trouble] = (),
) -> tuple[str, ...]:
    """Say in plain words why something may be missing; ``now`` is monotonic."""
    notes = list(broker_notes.build(fleet, connection, troubles))
    if connection.events_impossible is not None:
        notes.append(f"There will be no events: {connection.events_impossible}.")
    refused = dict(connection.refused_types)
    notes.extend(content_types.notes(refused))
    notes.extend(worker_notes.build(known, now, unread=bool(refused)))
    if all_series and not any(one.sent for one in all_series):
        notes.append(
            "No task-sent event has been seen, so queue waits are missing and queues may be "
            "unknown: set task_send_sent_event = True in the producers."
        )
    if any(one.name == labels.UNKNOWN for one in all_series):
        notes.append(
            "Tasks under the name 'unknown' had begun before we listened, or their task-received "
            "event was lost."
        )
    notes.extend(limits.notes(fleet))
    return tuple(notes)
