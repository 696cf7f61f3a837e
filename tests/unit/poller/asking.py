"""A poll of a fleet on a stage, asked by nobody real: who is asked, when, and what was told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from celery_sentinel import errors, poll_results
from celery_sentinel.poller import workers
from tests.unit.fleet.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from celery_sentinel.fleet import model

INTERVAL = 30.0
OTHER = "w2@host"


class Asking:
    """Answers for whom it is told to, and remembers what it was asked; stands for Control."""

    def __init__(self, *answering: str) -> None:
        self.answering = answering
        self.rounds: list[tuple[list[str], list[str] | None]] = []
        self.stalled: list[list[str]] = []
        self.told: list[list[str]] = []
        self.failure: errors.BrokerError | None = None
        self.unreadable = 0
        self.closed = False

    def ask(
        self,
        *,
        expected: Collection[str],
        timeout: float,
        among: Sequence[str] | None = None,
        stalled: Collection[str] = (),
    ) -> list[poll_results.WorkerReading]:
        """Answer at once."""
        assert timeout == 2.0
        self.stalled.append(sorted(stalled))
        self.rounds.append((sorted(expected), None if among is None else sorted(among)))
        if self.failure is not None:
            raise self.failure
        asked = self.answering if among is None else set(among) & set(self.answering)
        return [poll_results.WorkerReading(hostname=name, concurrency=4) for name in asked]

    def tell(self, command: str, destination: Sequence[str]) -> None:
        """Remember whom it was sent."""
        assert command == "enable_events"
        if self.failure is not None:
            raise self.failure
        self.told.append(sorted(destination))

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True


class Poll:
    """A poll of a fleet in which a worker beats, on the real clock where the poll reads it."""

    def __init__(self, *answering: str, enable: bool = False) -> None:
        self.play = Stage()
        self.play.now = time.monotonic()
        self.play.stream.connected(0.0, 0.0)
        self.asking = Asking(*answering)
        self.question = workers.WorkerPoll(
            self.asking,  # type: ignore[arg-type]
            self.play.fleet,
            self.play.stream,
            interval=INTERVAL,
            timeout=2.0,
            enable=enable,
        )

    @property
    def fleet(self) -> model.Fleet:
        """The fleet that is asked."""
        return self.play.fleet

    def look(self, later: float = 0.0) -> bool:
        """Tell whether it is time to ask, so many seconds from now."""
        return self.question.due(time.monotonic() + later)
