"""Which objectives are not met at this moment; the alert rules look at longer times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.status import schema as status_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from celery_sentinel.fleet import objectives


def of(
    asked: objectives.Limits, measured: Mapping[str, float | None]
) -> tuple[status_schema.Missed, ...]:
    """Return the limits that are exceeded, the critical first, and age before length.

    ``measured`` is by the keys of the configuration; None is unknown, which exceeds nothing.
    """
    found = []
    for key, severity, limit in asked:
        value = measured.get(key)
        if value is not None and value > limit:
            found.append(status_schema.Missed(objective=key, severity=severity, limit=limit))
    return tuple(sorted(found, key=lambda each: (each.severity != "critical", each.objective)))
