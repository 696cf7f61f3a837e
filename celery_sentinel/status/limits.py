"""Says in plain words which limit is reached, what fills it, and what to do."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from celery_sentinel.fleet import model

_MADE_UP = re.compile(r"[0-9a-f]{8,}|\d+")
_ALIKE = 10  # names that differ only in what is made up, from which on they are a kind


def notes(fleet: model.Fleet) -> list[str]:
    """Return a sentence for each limit that is reached and has kept something out."""
    with fleet.lock.reading():
        found = list(_reached(fleet))
    return [_note(*one) for one in found]


def _reached(fleet: model.Fleet) -> Iterator[tuple[str, str, int, list[str]]]:
    """Yield what has no more room, its setting, how many there may be, and their names."""
    series, queues, workers = fleet.series, fleet.queues, fleet.workers
    if series.names.overflow and series.names.full:
        yield "task names", "names", series.names.limit, list(series.names)
    if queues.overflow and len(queues.by_name) >= queues.limit:
        yield "queues", "queues", queues.limit, list(queues.by_name)
    elif series.queues.overflow and series.queues.full:
        yield "queues", "queues", series.queues.limit, list(series.queues)
    if workers.overflow and len(workers.by_hostname) >= workers.limit:
        yield "workers", "workers", workers.limit, list(workers.by_hostname)
    if series.series_overflow and series.is_full("series"):
        yield "series of tasks", "series", series.limit_of("series"), list(series.names)


def _note(what: str, setting: str, limit: int, names: list[str]) -> str:
    kinds = Counter(_MADE_UP.sub("#", name) for name in names)
    [(kind, alike)] = kinds.most_common(1) or [("", 0)]
    like = f" {alike} of them look like '{kind}': made up by a program." if alike >= _ALIKE else ""
    return (
        f"There is no more room for {what}: metrics.limits.{setting} is {limit}.{like} New ones "
        "have no series, their tasks count under '__other__', until one of these is dead or has "
        "not been heard of for an hour. Keep ids and dates out of names, see who may write to the "
        "broker, or raise the limit (celery_sentinel_label_overflow_total)."
    )
