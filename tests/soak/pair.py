"""Two daemons on one broker, and what they may differ in: nothing that either has heard."""

from __future__ import annotations

import collections

from tests.servers import daemon, deadline

MISSED = "celery_sentinel_events_missed_total"
_SECONDS = 30.0
_COUNTED = ("_total", "_count", "_bucket")

Series = tuple[str, frozenset[tuple[str, str]]]


def counters(samples: daemon.Samples) -> dict[Series, float]:
    """Return what events are counted in: of tasks and workers, the buckets of histograms too."""
    return {
        (name, labels): value
        for (name, labels), value in samples.items()
        if name.startswith(("celery_task_", "celery_worker_")) and name.endswith(_COUNTED)
    }


def difference(first: daemon.Samples, second: daemon.Samples) -> dict[Series, float]:
    """Return by how much the first has counted more, where they differ."""
    ours, theirs = counters(first), counters(second)
    pairs = {key: (ours.get(key, 0.0), theirs.get(key, 0.0)) for key in ours.keys() | theirs}
    return {key: one - other for key, (one, other) in pairs.items() if one != other}


def by_metric(differing: dict[Series, float]) -> collections.Counter[str]:
    """Add up a difference over all labels: what was not heard may have cost a task its name."""
    added: collections.Counter[str] = collections.Counter()
    for (name, _), value in differing.items():
        if not name.endswith("_bucket"):
            added[name] += int(value)
    return added


def wait_difference(
    first: daemon.Daemon, second: daemon.Daemon, wanted: dict[Series, float]
) -> None:
    """Wait until the two differ in exactly that; failing it, show in what they do."""
    seen: list[dict[Series, float]] = []

    def so() -> bool:
        seen[:] = [difference(first.scrape(), second.scrape())]
        return seen[0] == wanted

    try:
        deadline.wait_until(so, _SECONDS, "the two agree")
    except TimeoutError:
        assert seen[0] == wanted
