"""A process that starts tasks and says so, for the tests of what was missed of them."""

from __future__ import annotations

from itertools import count
from typing import Any

from celery_sentinel.metrics import catalogue
from tests.unit.fleet import stage

PID = 7
BEAT = 2.0  # seconds


class Process:
    """A worker's process: its Lamport clock and what it has started."""

    def __init__(self, to: stage.Stage, hostname: str = stage.WORKER, pid: int = PID) -> None:
        self.stage, self.hostname, self.pid = to, hostname, pid
        self.clock = self.processed = 0
        self.ids = count()

    def run(self, times: int = 1, *, name: str = stage.TASK, heard: bool = True) -> None:
        """Start and end tasks; of one not heard nothing arrives."""
        for _ in range(times):
            self.processed += 1
            uuid = f"{self.hostname}-{self.pid}-{next(self.ids)}"
            for type_ in ("received", "started", "succeeded"):
                self.clock += 1
                if heard:
                    common: dict[str, Any] = {"clock": self.clock, "pid": self.pid}
                    given = {"name": name} if type_ == "received" else {}
                    self.stage.hear(
                        f"task-{type_}", uuid=uuid, hostname=self.hostname, **common, **given
                    )

    def beat(self, times: int = 1, *, active: int = 0) -> None:
        """Send heartbeats, each two seconds after the last."""
        for _ in range(times):
            self.stage.pass_time(BEAT)
            self.clock += 1
            counts = {"processed": self.processed, "active": active}
            self.stage.beat(self.hostname, pid=self.pid, clock=self.clock, **counts)

    def answer(self, totals: dict[str, int] | None = None) -> None:
        """Answer a poll; by default all tasks are of the one name that sends events."""
        self.clock += 1
        started = {stage.TASK: self.processed} if totals is None else totals
        self.stage.answer(self.hostname, pid=self.pid, clock=self.clock, started=started)


def missed(play: stage.Stage, hostname: str = stage.WORKER) -> float | None:
    """Return how many starts of a worker's are known to be missed; None if nothing is."""
    found: float | None = play.value(catalogue.EVENTS_MISSED, hostname)
    return found


def settle(process: Process, times: int = 2) -> None:
    """Let so many heartbeats and answers pass that everything before them is judged."""
    for _ in range(times):
        process.beat(5)
        process.answer()
    process.beat(5)
