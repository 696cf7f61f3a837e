"""The parts of a run: each measures, draws its curves, writes its chapter and judges its goals."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks import (
    bounds,
    detection,
    growth,
    keeping,
    peers,
    plots,
    real_workers,
    scrape,
    side_by_side,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.settings import Settings


@dataclass(frozen=True)
class Goal:
    """What was to be reached, what was, and whether that is enough."""

    wanted: str
    found: str
    met: bool


@dataclass(frozen=True)
class Chapter:
    """A chapter of the results."""

    text: str
    goals: list[Goal] = field(default_factory=list)


def races(settings: Settings, _images: Path | None, *, foreign: bool) -> Chapter:
    """Compare the daemon with its peers and with the floors."""
    found = side_by_side.run(settings, foreign=foreign)
    return Chapter(side_by_side.section(found), [*_race_goals(found)])


def _race_goals(found: list[side_by_side.Race]) -> list[Goal]:
    ours, exporter = peers.Sentinel.label, peers.Exporter.label
    goals = []
    for race in found:
        if race.batch == 2 and race.rate and exporter in race.results:
            least = 15 if race.broker == "redis" else 6
            ratio = race.ratio(exporter, ours)
            name = "Redis" if race.broker == "redis" else "RabbitMQ"
            wanted = f"{least} x fewer CPU seconds an event than celery-exporter, twos, {name}"
            goals.append(Goal(wanted, f"{ratio:.1f} x", ratio >= least))
        if race.broker == "redis":
            ratio = race.ratio(ours, peers.RedisFloor.label)
            wanted = f"at most 1.5 x the floor: {race.title}"
            goals.append(Goal(wanted, f"{ratio:.2f} x", ratio <= 1.5))
        if race.rate is None:
            share = race.share(ours)
            goals.append(Goal(f"100 % counted: {race.title}", table.share(share), share == 1))
    return goals


def real(settings: Settings, _images: Path | None, *, foreign: bool) -> Chapter:
    """Listen to real workers at full speed."""
    return Chapter(real_workers.section(real_workers.run(settings, foreign=foreign)))


def scrapes(settings: Settings, images: Path | None, *, foreign: bool) -> Chapter:
    """Measure scrapes, and what they do to the receiver."""
    del foreign
    costs = [scrape.cost(series) for series in settings.series]
    delay = scrape.delay(settings.series[-1], scrapes=settings.scrapes)
    curves = {
        "celery-sentinel": [(one.series, one.render) for one in costs],
        "prometheus_client, rendering alone": [(one.series, one.peer) for one in costs],
    }
    plots.draw(
        images and images / "bench-scrape.png",
        curves,
        title="CPU of a scrape",
        sizes="series",
        costs="CPU seconds",
    )
    largest = costs[-1]
    held = delay.scraped.cpu * 1000
    wanted = f"render 8 x cheaper than generate_latest at {largest.series:,} series"
    goals = [
        Goal(wanted, f"{largest.advantage:.1f} x", largest.advantage >= 8),
        Goal("receiver held up by a scrape 20 ms at most", f"{held:.1f} ms", held <= 20),
    ]
    return Chapter(scrape.section(costs, delay), goals)


def memory(settings: Settings, images: Path | None, *, foreign: bool) -> Chapter:
    """Measure the memory of open tasks."""
    del foreign
    curves: dict[str, growth.Curve] = {
        name: [
            (tasks, growth.bytes_per_task(tasks, running=running)) for tasks in settings.open_tasks
        ]
        for name, running in (("waiting", False), ("running", True))
    }
    plots.draw(
        images and images / "bench-memory.png",
        curves,
        title="Memory of an open task",
        sizes="open tasks",
        costs="bytes a task",
        flat=True,
    )
    most = max(size for curve in curves.values() for _, size in curve)
    goal = Goal("400 B per open task at most", f"{most:.0f} B", most <= 400)
    rows = [
        [f"{tasks:,}", *(f"{dict(curve)[tasks]:.0f}" for curve in curves.values())]
        for tasks in settings.open_tasks
    ]
    shown = table.markdown(("open tasks", *(f"bytes, {name}" for name in curves)), rows)
    picture = "![Memory of an open task](../docs/images/bench-memory.png)"
    return Chapter(f"## Memory\n\n{shown}\n\n{picture}", [goal])


def workers(settings: Settings, images: Path | None, *, foreign: bool) -> Chapter:
    """Measure how cost grows with workers."""
    del foreign
    return _growth("workers", growth.by_workers(settings.workers), images)


def queues(settings: Settings, images: Path | None, *, foreign: bool) -> Chapter:
    """Measure how cost grows with queues."""
    del foreign
    return _growth("queues", growth.by_queues(settings.queues), images)


def _growth(what: str, curves: dict[str, growth.Curve], images: Path | None) -> Chapter:
    plots.draw(
        images and images / f"bench-{what}.png",
        curves,
        title=f"Cost by {what}",
        sizes=what,
        costs="CPU seconds",
    )
    sizes = [size for size, _ in next(iter(curves.values()))]
    rows = [
        [
            name,
            *(f"{seconds * 1000:.2f}" for _, seconds in curve),
            f"{growth.exponent(curve):.2f}",
        ]
        for name, curve in curves.items()
    ]
    headers = ("CPU ms", *(f"{size:,}" for size in sizes), "exponent")
    picture = f"![Cost by {what}](../docs/images/bench-{what}.png)"
    steepest = max(map(growth.exponent, curves.values()))
    goal = Goal(
        f"cost grows near-linearly with {what}, or less", f"n^{steepest:.2f}", steepest < 1.15
    )
    text = f"## Growth with {what}\n\n{table.markdown(headers, rows)}\n\n{picture}"
    return Chapter(text, [] if math.isnan(steepest) else [goal])


def state(settings: Settings, _images: Path | None, *, foreign: bool) -> Chapter:
    """Measure what a state file costs."""
    del foreign
    return Chapter(keeping.section(keeping.run(settings.open_tasks[-1])))


def limits(settings: Settings, _images: Path | None, *, foreign: bool) -> Chapter:
    """Measure the model where every limit is passed."""
    del foreign
    return Chapter(bounds.section(bounds.run(settings.open_tasks[-1])))


def faults(settings: Settings, _images: Path | None, *, foreign: bool) -> Chapter:
    """Measure how soon faults show."""
    del foreign
    found = [*detection.of_workers(settings.faults), *detection.of_brokers(settings.faults)]
    rows = [
        [one.fault, one.metric, str(len(one.seconds)), f"{one.median:.2f}", f"{one.worst:.2f}"]
        for one in found
    ]
    headers = ("fault", "until", "times", "median, s", "worst, s")
    return Chapter(f"## Detection\n\n{table.markdown(headers, rows)}")


def goals_section(goals: list[Goal]) -> str:
    """Return the chapter that says which goals were met."""
    rows = [[goal.wanted, goal.found, "yes" if goal.met else "no"] for goal in goals]
    return f"## Goals\n\n{table.markdown(('goal', 'found', 'met'), rows)}"


PARTS: dict[str, Callable[..., Chapter]] = {
    "side-by-side": races,
    "real-workers": real,
    "scrape": scrapes,
    "memory": memory,
    "workers": workers,
    "queues": queues,
    "state": state,
    "limits": limits,
    "detection": faults,
}
