"""What the server asks of the daemon that it speaks for."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from celery_sentinel.status import schema as status_schema


class MetricsSource(Protocol):
    """Renders the exposition; called in a worker thread, one call at a time."""

    def render(self, *, openmetrics: bool, unheld: bool) -> bytes:
        """Return the whole exposition as UTF-8, in OpenMetrics or in the text format.

        ``unheld`` is for people: without the hold that shows new counters as 0 to scrapers.
        """
        ...


class Health(msgspec.Struct, frozen=True):
    """A verdict and, when it is bad, the reasons in plain words."""

    ok: bool
    reasons: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The callables behind the routes; all are called in worker threads.

    ``reload`` returns None when the new configuration is in force, else the reason why it is
    not, free of secrets. Without it there is no reload route.
    """

    metrics: MetricsSource
    status: Callable[[], status_schema.Status]
    healthy: Callable[[], Health]
    ready: Callable[[], Health]
    reload: Callable[[], str | None] | None
