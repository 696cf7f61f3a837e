"""How long after a fault its metric shows it: real workers, real brokers, real signals."""

from __future__ import annotations

import contextlib
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path

from benchmarks import arena, peers
from tests.servers import daemon, deadline, server, worker

_Act = Callable[[server.Broker], object]

TOGETHER = 10  # faults under way at once: waiting costs nothing
_SECONDS = 60.0
_SPREAD = 2.0  # seconds: a heartbeat interval, so that faults fall anywhere in it
_STEP = 0.05


@dataclass(frozen=True)
class Latency:
    """Seconds from faults of one kind to the metric."""

    fault: str
    metric: str
    seconds: list[float]

    @property
    def median(self) -> float:
        """Half were faster."""
        return statistics.median(self.seconds)

    @property
    def worst(self) -> float:
        """None was slower."""
        return max(self.seconds)


def of_workers(times: int) -> list[Latency]:
    """Stop and kill real workers, at least ``times`` of each."""
    metric = "celery_worker_up is 0"
    together = min(TOGETHER, times)
    frozen: list[float] = []
    killed: list[float] = []
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(arena.broker("redis"))
        watcher = _watcher(stack, redis.url)
        crew = [_worker(stack, redis.url, f"w{number}") for number in range(together)]
        _each(stack, crew, lambda one: one.start())
        _await_up(watcher, crew)
        while len(frozen) < times:
            frozen += _strike(watcher, crew, lambda one: one.pause())
            for one in crew:
                one.resume()
            _await_up(watcher, crew)
        while len(killed) < times:
            killed += _strike(watcher, crew, lambda one: one.kill())
            if len(killed) < times:
                _each(stack, crew, lambda one: one.start())
                _await_up(watcher, crew)
    return [Latency("SIGSTOP of a worker", metric, frozen), Latency("SIGKILL", metric, killed)]


def of_brokers(times: int) -> list[Latency]:
    """Kill and freeze Redis servers, at least ``times`` of each."""
    metric = "celery_broker_up is 0"
    together = min(TOGETHER, times)
    killed: list[float] = []
    frozen: list[float] = []
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(arena.broker("redis")) for _ in range(together)]
        watchers = [_watcher(stack, one.url) for one in servers]
        plans: list[tuple[list[float], _Act, _Act]] = [
            (killed, lambda one: one.kill(), lambda one: one.start()),
            (frozen, lambda one: one.pause(), lambda one: one.resume()),
        ]
        for seconds, strike, heal in plans:
            while len(seconds) < times:
                _await_brokers(watchers, 1.0)
                struck = []
                for one in servers:
                    struck.append(time.monotonic())
                    strike(one)
                seconds.extend(_await_brokers(watchers, 0.0, struck))
                for one in servers:
                    heal(one)
    return [
        Latency("broker killed", metric, killed),
        Latency("broker frozen", metric, frozen),
    ]


def _watcher(stack: contextlib.ExitStack, url: str) -> daemon.Daemon:
    home = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
    one = peers.Sentinel(Path(home), url)
    one.start()
    stack.callback(one.close)
    return one


def _worker(stack: contextlib.ExitStack, url: str, name: str) -> worker.CeleryWorker:
    home = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
    one = worker.CeleryWorker(Path(home), url, name=name, pool="threads", concurrency=1)
    stack.callback(one.close)
    return one


def _each(
    stack: contextlib.ExitStack,
    crew: list[worker.CeleryWorker],
    act: Callable[[worker.CeleryWorker], object],
) -> None:
    pool = stack.enter_context(futures.ThreadPoolExecutor(len(crew)))
    list(pool.map(act, crew))


def _strike(
    watcher: daemon.Daemon,
    crew: list[worker.CeleryWorker],
    act: Callable[[worker.CeleryWorker], object],
) -> list[float]:
    """Strike each worker at a moment of its own; return how long it took to show."""
    coming = sorted((random.uniform(0, _SPREAD), one.hostname, one) for one in crew)
    begun = time.monotonic()
    struck: dict[str, float] = {}
    seen: dict[str, float] = {}
    while len(seen) < len(crew):
        if time.monotonic() - begun > _SECONDS:
            raise TimeoutError(f"not seen within {_SECONDS:g} s: {struck.keys() - seen.keys()}")
        while coming and coming[0][0] <= time.monotonic() - begun:
            _, hostname, one = coming.pop(0)
            struck[hostname] = time.monotonic()
            act(one)
        samples = watcher.scrape()
        now = time.monotonic()
        for hostname in struck.keys() - seen.keys():
            if daemon.total(samples, "celery_worker_up", hostname=hostname) == 0:
                seen[hostname] = now - struck[hostname]
        time.sleep(_STEP)
    return list(seen.values())


def _await_up(watcher: daemon.Daemon, crew: list[worker.CeleryWorker]) -> None:
    """Wait until all are up and have said what they are: of another, silence says nothing."""
    metrics = ("celery_worker_up", "celery_worker_responding")
    deadline.wait_until(
        lambda: {daemon.total(watcher.scrape(), one) for one in metrics} == {len(crew)},
        _SECONDS,
        "all workers are up and answer",
    )


def _await_brokers(
    watchers: list[daemon.Daemon], value: float, since: list[float] | None = None
) -> list[float]:
    seen: dict[int, float] = {}
    begun = time.monotonic()
    since = since or [begun] * len(watchers)
    while len(seen) < len(watchers):
        if time.monotonic() - begun > _SECONDS:
            raise TimeoutError(f"celery_broker_up is not {value:g} everywhere")
        for number, watcher in enumerate(watchers):
            if number in seen:
                continue
            if daemon.total(watcher.scrape(), "celery_broker_up") == value:
                seen[number] = time.monotonic() - since[number]
        time.sleep(_STEP)
    return list(seen.values())
