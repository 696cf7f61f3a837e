"""Two daemons on one broker, and what they may differ in: nothing that either has heard."""

from __future__ import annotations

import collections

from tests.servers import daemon, deadline

_SECONDS = 30.0
_COUNTED = ("_total", "_count", "_bucket")

Series = tuple[str, frozenset[tuple[str, str]]]


def counters(samples: daemon.Samples) -> dict[Series, float]:
    """Return what events are counted in: of tasks and workers, the buckets of histograms too.

    Queues are added up: that of a task whose task-sent was overtaken is told by what its worker
    consumes, and each daemon has asked the workers at moments of its own.
    """
    added: dict[Series, float] = collections.defaultdict(float)
    for (name, labels), value in samples.items():
        if name.startswith(("celery_task_", "celery_worker_")) and name.endswith(_COUNTED):
            added[name, frozenset(pair for pair in labels if pair[0] != "queue_name")] += value
    return added


def difference(first: daemon.Samples, second: daemon.Samples) -> dict[Series, float]:
    """Return by how much the first has counted more, where they differ."""
    ours, theirs = counters(first), counters(second)
    pairs = {key: (ours.get(key, 0.0), theirs.get(key, 0.0)) for key in ours.keys() | theirs}
    return {key: one - other for key, (one, other) in pairs.items() if one != other}


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
        raise AssertionError(f"they differ in {_shown(seen[0])}, not {_shown(wanted)}") from None


def _shown(differing: dict[Series, float]) -> dict[str, float]:
    return {f"{name}{sorted(labels)}": more for (name, labels), more in differing.items()}
