"""The workers under load: one of each pool, and one that comes and goes."""

from __future__ import annotations

import collections
import time
from typing import TYPE_CHECKING

from tests.servers import deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import server, worker

# By name: the pool and how many tasks it runs at once.
CREW: dict[str, tuple[worker.Pool, int]] = {
    "forking": ("prefork", 2),
    "threading": ("threads", 2),
    "greenlets": ("gevent", 4),
}
ADDED: tuple[str, worker.Pool] = ("added", "solo")

OUTCOMES = ("received", "started", "succeeded", "failed", "retried")
_CONFIG = {
    "task_send_sent_event": True,  # for the retries, which the worker sends
    "broker_connection_retry_on_startup": True,
    "worker_prefetch_multiplier": 2,
}
_QUIET_SECONDS = 1.5
_QUIET_LOOKS = 5  # a machine that stands still does nothing for as long, either
_DRAIN_SECONDS = 150.0


class Fleet:
    """All workers there ever were; what they did is added up from their own signals."""

    def __init__(self, broker: server.Broker, start_worker: conftest.StartWorker) -> None:
        self.by_name: dict[str, worker.CeleryWorker] = {}
        self._broker = broker
        self._start_worker = start_worker

    def start(self) -> None:
        """Start one worker of each pool."""
        for name, (pool, concurrency) in CREW.items():
            self._start(name, pool, concurrency)

    def add(self) -> worker.CeleryWorker:
        """Start the worker that comes and goes."""
        name, pool = ADDED
        if name not in self.by_name:
            return self._start(name, pool, 1)
        return self.by_name[name].start()

    @property
    def living(self) -> set[str]:
        """The node names of the workers that run."""
        return {one.hostname for one in self.by_name.values() if one.running}

    @property
    def fallen(self) -> list[str]:
        """Those of the crew that have ended by themselves; whoever kills one brings it back."""
        return [name for name in CREW if not self.by_name[name].running]

    def truth(self) -> collections.Counter[str]:
        """Return how many tasks came to which outcome, over all workers."""
        added: collections.Counter[str] = collections.Counter()
        for one in self.by_name.values():
            added += one.truth.outcomes()
        return added

    def drain(self, waiting: Callable[[], int]) -> None:
        """Wait until nothing is done any more, and ``waiting`` (messages in the queue) is 0."""
        last: collections.Counter[str] = collections.Counter()
        since, looks = time.monotonic(), 0

        def quiet() -> bool:
            nonlocal last, since, looks
            now = self.truth()
            if now != last:
                last, since, looks = now, time.monotonic(), 0
            looks += 1
            rest = time.monotonic() - since
            return rest > _QUIET_SECONDS and looks > _QUIET_LOOKS and waiting() == 0

        deadline.wait_until(quiet, _DRAIN_SECONDS, "the workers have done all there is")

    def _start(self, name: str, pool: worker.Pool, concurrency: int) -> worker.CeleryWorker:
        made = self._start_worker(
            self._broker.url, name=name, pool=pool, concurrency=concurrency, config=_CONFIG
        )
        self.by_name[name] = made
        return made
