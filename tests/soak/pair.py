"""Two daemons on one broker, and what they may differ in: nothing that either has heard."""

from __future__ import annotations

import collections
import time
from typing import TYPE_CHECKING, NamedTuple

from tests.integration import conftest as integration
from tests.servers import daemon, deadline

if TYPE_CHECKING:
    import pathlib

    from tests.soak import load

MISSED = "celery_sentinel_events_missed_total"
_SECONDS = 60.0
_CONCLUDED_SECONDS = 120.0
_SNAPSHOT_SECONDS = 3.0  # from what a snapshot tells to the file that has it
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
        beyond = {one: seen[0].get(one, 0.0) - wanted.get(one, 0.0) for one in seen[0] | wanted}
        raise AssertionError(f"they differ by {_shown(beyond)} beyond what they should") from None


class Away(NamedTuple):
    """How long a daemon was away: at least, and at most, in seconds."""

    shortest: float
    longest: float


def restart(sentinel: daemon.Daemon, end: str, working: load.Load, state: pathlib.Path) -> Away:
    """End a daemon (``stop`` or ``kill``) for two seconds of load, and start it again.

    ``state`` is its file of snapshots.
    """
    # A killed one was last known to be there at its last snapshot, one that was stopped later.
    known = state.stat().st_mtime if state.exists() else time.time()
    getattr(sentinel, end)()
    gone = time.monotonic()
    working.wait_for(24)
    back = time.monotonic()
    sentinel.start()
    integration.wait_up(sentinel)
    return Away(back - gone, time.time() - known + _SNAPSHOT_SECONDS)


def wait_explained(first: daemon.Daemon, second: daemon.Daemon) -> None:
    """Wait until the started tasks the second lacks are those it says it missed."""
    seen: list[tuple[int, float]] = []

    def explained() -> bool:
        ours, theirs = first.scrape(), second.scrape()
        lacking = by_metric(difference(ours, theirs))["celery_task_started_total"]
        missed = (daemon.total(theirs, MISSED) or 0) - (daemon.total(ours, MISSED) or 0)
        seen[:] = [(lacking, missed)]
        return lacking == missed > 0

    try:
        deadline.wait_until(explained, _CONCLUDED_SECONDS, "what one lacks it says it missed")
    except TimeoutError:
        raise AssertionError(f"lacking and missed are {seen[0]}") from None


def _shown(differing: dict[Series, float]) -> dict[str, float]:
    return {f"{name}{sorted(labels)}": more for (name, labels), more in differing.items() if more}
