"""The demo's shop, watched by a pair of daemons and a Prometheus with the shipped rules.

It sells faster than the demo, and Prometheus looks more often, so that five minutes of the demo
pass in one. The recording rules are as they are shipped; the alerts wait a thirtieth as long.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING, Any, Self, TypeVar

from celery_sentinel.demo import workers
from grafana.preview import asking
from tests import promql
from tests.faults import rewriting
from tests.integration import hostile
from tests.servers import daemon, process, prometheus, redis

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable, Mapping

T = TypeVar("T")

PACE = 20  # tasks a second; the demo has 8
INTERVAL = 2  # seconds between scrapes
PATIENCE = 30  # by which the alerts' waiting is divided
_CONFIG = """
metrics: {zero_born_hold: 3s}
polling: {queues: 3s, workers: 3s}
queues: {watch: [refused], dead_letter: [refused]}
objectives:
  tasks: [{match: "shop.orders.*", silence_seconds: 1h}]
  queues: [{match: orders, workers: 1}]
"""


class Shop:
    """All of it; a context manager."""

    def __init__(self, directory: pathlib.Path) -> None:
        self._directory = directory
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self.broker = self._stack.enter_context(redis.RedisServer(self._made("redis")))
        config = self._directory / "sentinel.yml"
        config.write_text(_CONFIG)
        self.daemons = [
            self._stack.enter_context(
                daemon.Daemon(
                    self._made(name), self.broker.url, args=["--config.file", str(config)]
                )
            )
            for name in ("first", "second")
        ]
        directory = self._made("prometheus")
        self.prometheus = prometheus.Prometheus(
            directory, interval=INTERVAL, rules=self._rules(directory)
        )
        targets = [one.url.removeprefix("http://") for one in self.daemons]
        self.prometheus.scrape("celery-sentinel", targets)
        self._stack.enter_context(self.prometheus)
        for worker in workers.STEADY:
            self._run(worker.name, worker.command)
        self.victim = self._run(workers.SEASONAL.name, workers.SEASONAL.command)
        self._run("load", [sys.executable, "-m", "celery_sentinel.demo.load", str(PACE)])
        self.began = time.time()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def asker(self, chosen: Mapping[str, str] | None = None) -> asking.Asker:
        """Return who asks Prometheus about the time since the start."""
        now = time.time()
        window = asking.Window(start=self.began, end=now, step=INTERVAL, rate_interval=15)
        return asking.Asker(url=self.prometheus.url, window=window, chosen=chosen or {})

    def first_instance(self) -> str:
        """Return the label of the first of the pair."""
        return self.daemons[0].url.removeprefix("http://")

    def wait_until(self, true: Callable[[], T], seconds: float, what: object) -> T:
        """Wait, looking no more often than Prometheus does; a TimeoutError shows ``what``."""
        deadline = time.monotonic() + seconds
        while not (found := true()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {seconds:g} s: {what}")
            time.sleep(INTERVAL)
        return found

    def harm(self) -> None:
        """Kill a worker without a goodbye, and publish an event that nobody can read."""
        self.victim.kill()
        with contextlib.closing(hostile.Publisher(self.broker)) as publisher:
            publisher.publish(b"{")

    def _made(self, name: str) -> pathlib.Path:
        directory = self._directory / name
        directory.mkdir()
        return directory

    def _rules(self, directory: pathlib.Path) -> list[pathlib.Path]:
        """Shorten the alerts alone."""
        rewriter = rewriting.Rewriter(PATIENCE, scrape_interval=INTERVAL)
        files = []
        for source in promql.RULE_FILES:
            file = source
            if not source.name.startswith("recording"):
                file = directory / source.name
                rewriter.file(source, file)
            files.append(file)
        return files

    def _run(self, name: str, command: list[str]) -> process.Process:
        environment: dict[str, Any] = {**os.environ, "CELERY_BROKER_URL": self.broker.url}
        log = self._directory / f"{name}.log"
        started = process.Process(command, env=environment, cwd=self._directory, log=log)
        self._stack.callback(_end, started)
        return started


def _end(started: process.Process) -> None:
    if started.returncode is None:
        started.kill()
