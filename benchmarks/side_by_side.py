"""The daemon, its peers and the floors, each alone with the same traffic, turn and turn about."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks import arena, measure, peers, table, traffic
from tests.servers import redis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.settings import Settings
    from tests.servers import server as base

_ON_REDIS = (peers.Sentinel, peers.RedisFloor, peers.Exporter)
_MORE_ON_REDIS = (peers.RedisAsWeRead, peers.RedisOrjson, peers.ReceiverState, peers.Flower)
_ON_RABBITMQ = (peers.Sentinel, peers.AmqpFloor, peers.Exporter)
_MORE_ON_RABBITMQ = (peers.AmqpMsgspec, peers.ReceiverState, peers.Flower)
FLOORS = (peers.RedisFloor.label, peers.AmqpFloor.label)
BATCHES = {1: "single", 2: "in twos", 24: "in batches of 24"}


@dataclass
class Race:
    """All runs with one traffic on one broker; ``rate`` None is a burst."""

    broker: str
    batch: int
    rate: float | None
    results: dict[str, list[arena.Result]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What it is, in words."""
        how = "burst" if self.rate is None else f"{self.rate:,.0f} messages a second"
        name = {"redis": "Redis", "rabbitmq": "RabbitMQ"}[self.broker]
        return f"{name}, worker events {BATCHES[self.batch]}, {how}"

    def cost(self, label: str) -> float:
        """Return the median CPU seconds of a contestant for 100,000 events."""
        return statistics.median(one.cpu_per_100k for one in self.results[label])

    def share(self, label: str) -> float:
        """Return the least share of events it counted in any run."""
        return min(one.share for one in self.results[label])

    def ratio(self, label: str, to: str) -> float:
        """Return how many times the CPU of ``to`` a contestant needs."""
        return self.cost(label) / self.cost(to)

    def rows(self) -> list[list[str]]:
        """Return a row for each contestant."""
        floor = next(label for label in FLOORS if label in self.results)
        ours = self.cost(peers.Sentinel.label)
        found = []
        for label, runs in self.results.items():
            cost = self.cost(label)
            known = cost < float("inf")
            found.append(
                [
                    label,
                    table.spread([one.cpu_per_100k for one in runs], cost) if known else "-",
                    table.figure(100_000 / cost) if known else "-",
                    table.share(self.share(label)) if runs[0].judged else "-",
                    f"{max(one.rss for one in runs) / 1e6:.0f}" if known else "-",
                    table.figure(cost / ours),
                    table.figure(cost / self.cost(floor)),
                ]
            )
        return found


HEADERS = (
    "contestant",
    "CPU s / 100,000 events",
    "events / CPU s",
    "counted",
    "peak RSS, MB",
    "x ours",
    "x floor",
)


def run(settings: Settings, *, foreign: bool = True) -> list[Race]:
    """Run all races; ``foreign`` False leaves out what the tests do not install."""
    races = []
    for name in ("redis", "rabbitmq"):
        with arena.broker(name) as server:
            races += [
                race(server, settings, batch=batch, rate=rate, foreign=foreign)
                for batch, rate in ((2, settings.rate), (2, None), (1, None), (24, None))
            ]
    return races


def race(
    server: base.Broker, settings: Settings, *, batch: int, rate: float | None, foreign: bool
) -> Race:
    """Run one race; contestants that no goal is about run in its first round only."""
    on_redis = isinstance(server, redis.RedisServer)
    main = _ON_REDIS if on_redis else _ON_RABBITMQ
    more = _MORE_ON_REDIS if on_redis else _MORE_ON_RABBITMQ
    found = Race("redis" if on_redis else "rabbitmq", batch, rate)
    amount = settings.burst_events if rate is None else settings.paced_events
    shape = traffic.Shape(events=amount, batch=batch)
    for turn in range(settings.rounds):
        entered: Sequence[type[peers.Contestant]] = main if rate else main[:2]
        for one in entered if turn else (*main, *more):
            if foreign or not one.foreign:
                result = arena.run(one, server, shape, settings, rate=rate)
                found.results.setdefault(one.label, []).append(result)
    return found


def section(races: Sequence[Race]) -> str:
    """Return the chapter of the results."""
    parts = [f"### {race.title}\n\n{table.markdown(HEADERS, race.rows())}" for race in races]
    return "## Side by side\n\n" + "\n\n".join(parts)


def noise() -> float:
    """Return how much slower the slowest of some equal pieces of work was than the fastest."""
    times = [measure.spin() for _ in range(20)]
    return max(times) / min(times) - 1
