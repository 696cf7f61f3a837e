"""How the broker fares, and what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel import poll_results
from celery_sentinel.metrics import catalogue, samples
from celery_sentinel.telemetry import polls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from celery_sentinel.fleet import model
    from celery_sentinel.telemetry import subscription


def collect(fleet: model.Fleet, connection: subscription.Subscription) -> Iterator[samples.Family]:
    """Yield the families about the broker itself."""
    with fleet.lock.reading():
        condition = fleet.backlog.condition or poll_results.BrokerCondition()
        raised = {
            one.reason for one in polls.troubles(connection, fleet.polls, fleet.backlog.condition)
        }
        failures = [
            ((name, reason), float(count))
            for name, poll in fleet.polls.items()
            for reason, count in poll.failures.items()
        ]
    yield from _condition(condition)
    yield samples.family(
        catalogue.BROKER_TROUBLE,
        [((reason,), int(reason in raised)) for reason in poll_results.REASONS],
    )
    yield samples.family(catalogue.POLL_FAILURES, failures)


def _condition(found: poll_results.BrokerCondition) -> Iterator[samples.Family]:
    info = (found.product, found.version, found.role, found.mode, found.eviction_policy)
    known = [(tuple(text or "" for text in info), 1)] if any(info) else []
    yield samples.family(catalogue.BROKER_INFO, known)
    alarms = [((name,), int(raised)) for name, raised in found.alarms.items()]
    yield samples.family(catalogue.BROKER_ALARM, alarms)
    writable = None if found.writable is None else int(found.writable)
    for metric, value in (
        (catalogue.BROKER_WRITABLE, writable),
        (catalogue.BROKER_MEMORY_USED, found.memory_used),
        (catalogue.BROKER_MEMORY_MAX, found.memory_max),
        (catalogue.BROKER_EVICTED_KEYS, found.evicted_keys),
        (catalogue.BROKER_CLIENTS, found.clients),
        (catalogue.BROKER_CLIENTS_MAX, found.clients_max),
    ):
        yield samples.single(metric, value)
