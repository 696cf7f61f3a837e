"""Real workers at full speed, with all contestants listening to them at once, on Redis."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import arena, measure, peers, table
from tests.servers import deadline, producer, worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.settings import Settings

    Kind = Callable[[Path, str], peers.Contestant]

ENTERED = (
    peers.Sentinel,
    peers.RedisFloor,
    peers.Exporter,
    peers.ReceiverState,
    peers.Flower,
)
_SECONDS = 180.0
_WORKERS = 2


def run(settings: Settings, *, foreign: bool = True) -> list[arena.Result]:
    """Have two prefork workers run a pile of tasks; one of twenty fails."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(arena.broker("redis"))
        entered = [one for one in ENTERED if foreign or not one.foreign]
        listening = [_listener(stack, kind, server.url) for kind in entered]
        sending = stack.enter_context(producer.Producer(server.url))
        crew = [_worker(stack, server.url, f"w{number}") for number in range(_WORKERS)]
        for hand in crew:
            hand.start()
        # Workers ask each other (gossip) in patterns of their own.
        arena.wait_subscribed(server, len(entered) + len(crew))
        for one in listening:
            measure.wait_quiet(one.pid, _SECONDS, quiet=settings.quiet)
        counted = [one.counted() for one in listening]
        before = [measure.cpu_seconds(one.pid) for one in listening]
        for number in range(settings.real_tasks):
            sending.send("quick" if number % 20 else "failing")
        deadline.wait_until(
            lambda: _ended(crew) >= settings.real_tasks, _SECONDS, "all tasks have ended"
        )
        for one in listening:
            measure.wait_quiet(one.pid, _SECONDS, quiet=settings.quiet)
        used = [
            max(measure.LEAST, measure.cpu_seconds(one.pid) - cpu)
            for one, cpu in zip(listening, before, strict=True)
        ]
        peak = [measure.peak_rss(one.pid) for one in listening]
        told = 4 * settings.real_tasks  # sent, received, started, ended
        return [
            arena.Result(one.label, told, one.counted() - had, cpu, rss, judged=one.judged)
            for one, had, cpu, rss in zip(listening, counted, used, peak, strict=True)
        ]


def _listener(stack: contextlib.ExitStack, kind: Kind, url: str) -> peers.Contestant:
    one = kind(_home(stack), url)
    one.start()
    stack.callback(one.close)
    return one


def _worker(stack: contextlib.ExitStack, url: str, name: str) -> worker.CeleryWorker:
    one = worker.CeleryWorker(_home(stack), url, name=name)
    return stack.enter_context(contextlib.closing(one))


def _home(stack: contextlib.ExitStack) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))


def _ended(crew: list[worker.CeleryWorker]) -> int:
    return sum(one.truth.outcomes()[outcome] for one in crew for outcome in ("succeeded", "failed"))


def section(results: list[arena.Result]) -> str:
    """Return the chapter of the results."""
    ours = results[0].cpu_per_100k
    rows = [
        [
            one.label,
            table.figure(one.cpu_per_100k),
            table.share(one.share) if one.judged else "-",
            f"{one.rss / 1e6:.0f}",
            table.figure(one.cpu_per_100k / ours),
        ]
        for one in results
    ]
    headers = ("contestant", "CPU s / 100,000 events", "counted", "peak RSS, MB", "x ours")
    return (
        f"## Real workers at full speed\n\n{results[0].events:,} task events of two prefork "
        f"workers on Redis, all contestants at once.\n\n{table.markdown(headers, rows)}"
    )
