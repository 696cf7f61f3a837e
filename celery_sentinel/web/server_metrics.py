"""Metrics of the server itself: whom it turned away, and how its certificate stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.metrics import catalogue, samples

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from celery_sentinel.web import auth, config_reload, connection_deadlines


def collect(
    connections: connection_deadlines.Connections,
    door: auth.Guard,
    rotating: config_reload.Rotation,
) -> Iterator[samples.Family]:
    """Yield the families; those about files only if there is a web config file."""
    yield _by_reason(catalogue.WEB_CONNECTIONS_DROPPED, connections.dropped)
    yield _by_reason(catalogue.WEB_REQUESTS_REFUSED, door.refused)
    if rotating.path is None:
        return
    yield samples.single(catalogue.WEB_CONFIG_SUCCESSFUL, int(rotating.ok))
    yield samples.single(catalogue.WEB_CONFIG_TIMESTAMP, rotating.changed_at)
    expires = rotating.current.expires
    if expires is not None:
        yield samples.single(catalogue.WEB_CERTIFICATE_EXPIRY, expires)


def _by_reason(metric: catalogue.Metric, counts: Mapping[str, int]) -> samples.Family:
    found = dict(counts)
    return samples.family(metric, [((reason,), count) for reason, count in found.items()])
