"""Says in plain words what is wrong with the broker, and whether Celery is there at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.status import broker_advice

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from celery_sentinel import poll_results
    from celery_sentinel.fleet import model
    from celery_sentinel.telemetry import subscription

MOST_FOREIGN = 5
_SAYS_NO_MORE = ("unreachable", "timeout", "other")  # than that it cannot be reached


def build(
    fleet: model.Fleet,
    connection: subscription.Subscription,
    troubles: Sequence[poll_results.Trouble],
) -> Iterator[str]:
    """Yield the notes about the broker, the worst first."""
    if not connection.up:
        why = f": {connection.last_error}" if connection.last_error else ""
        yield f"The broker cannot be reached{why}. We go on trying."
    for one in troubles:
        if connection.up or one.text != connection.last_error:
            yield broker_advice.sentence(one)
        elif one.reason not in _SAYS_NO_MORE:
            yield broker_advice.of(one.reason)
    with fleet.lock.reading():
        condition, elsewhere = fleet.backlog.condition, fleet.backlog.elsewhere
        foreign = [(queue.name, queue.foreign) for queue in fleet.queues if queue.foreign]
    if condition is not None:
        yield from condition.doubts
    for found in elsewhere:
        yield f"No worker has been heard yet. {found}"
    for name, what in foreign[:MOST_FOREIGN]:
        yield f"Queue {name} cannot be counted: at its key the broker has {what}."
