"""The workers of the demo: two that stay and one that comes and goes, as autoscaling does."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from celery_sentinel.demo import process as demo_process


class Worker(NamedTuple):
    """A prefork worker: the name of its node before the ``@``, its queues and processes."""

    name: str
    queues: tuple[str, ...]
    processes: int

    @property
    def command(self) -> list[str]:
        """The command line that starts it; the broker comes from the environment."""
        app = ["--app", "celery_sentinel.demo.shop", "worker"]
        node = ["--hostname", f"{self.name}@%h", "--queues", ",".join(self.queues)]
        pool = ["--pool", "prefork", "--concurrency", str(self.processes)]
        return [sys.executable, "-m", "celery", *app, *node, *pool, "--loglevel", "WARNING"]


STEADY = (
    Worker("orders", ("orders", "emails"), 3),
    Worker("reports", ("reports", "bulk"), 2),
)
SEASONAL = Worker("seasonal", ("emails", "bulk"), 1)
AWAY = 30.0
PRESENT = 90.0


class Season:
    """Has the seasonal worker come with ``hire`` and sends it home again, in turns of seconds."""

    def __init__(
        self,
        start: Callable[[], demo_process.DemoProcess],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._start = start
        self._clock = clock
        self._worker: demo_process.DemoProcess | None = None
        self._next = clock() + AWAY

    def turn(self) -> None:
        """Do what is due by now."""
        now = self._clock()
        if now < self._next:
            return
        if self._worker is None:
            self._worker = self._start()
            self._next = now + PRESENT
        else:
            self._worker.terminate()
            self._worker = None
            self._next = now + AWAY
