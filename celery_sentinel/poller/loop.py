"""A thread that asks one kind of question again and again, and survives every answer."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol

from celery_sentinel import errors, logs, poll_results
from celery_sentinel.brokers import failure_reasons

if TYPE_CHECKING:
    from collections.abc import Callable

    from celery_sentinel.fleet import model
    from celery_sentinel.telemetry import subscription

PULSE = 0.5  # seconds between two looks at the clock


class Question(Protocol):
    """What a loop asks. ``name`` is the value of the label ``poller``."""

    name: str

    def due(self, now: float) -> bool:
        """Tell whether it is time to ask (monotonic ``now``)."""

    def ask(self) -> None:
        """Ask and note the answer; raises ``errors.BrokerError`` when there is none."""

    def close(self) -> None:
        """Drop the connection."""


class Loop:
    """Runs one question in one thread: timed, counted, and never ended by a failure.

    ``beat`` is the monotonic time of the last turn.
    """

    def __init__(
        self,
        question: Question,
        *,
        fleet: model.Fleet,
        connection: subscription.Subscription,
        scrub: Callable[[str], str],
    ) -> None:
        self.name = question.name
        self.beat = time.monotonic()
        self._question = question
        self._fleet = fleet
        self._connection = connection
        self._scrub = scrub
        self._stopping = threading.Event()
        self._log = logs.get(__name__)
        self._failing = False

    def stop(self) -> None:
        """Ask the thread to end; it does after the question under way."""
        self._stopping.set()

    def run(self) -> None:
        """Ask whenever it is due, until stopped."""
        while not self._stopping.is_set():
            self.beat = time.monotonic()
            if self._is_due():
                self._ask_once()
            self._stopping.wait(PULSE)
        self._close()

    def _is_due(self) -> bool:
        try:
            return self._question.due(self.beat)
        except Exception as error:  # noqa: BLE001 -- a defect of ours; the thread is to go on
            self._tell(self._survived(error))
            return False

    def _ask_once(self) -> None:
        begun = time.monotonic()
        problem, trouble = None, None
        try:
            self._question.ask()
        except errors.BrokerError as error:
            problem = self._scrub(str(error))
            trouble = poll_results.Trouble(reason=failure_reasons.of(error), text=problem)
        except Exception as error:  # noqa: BLE001 -- a library's own; the next poll may do better
            problem = self._survived(error)
            trouble = poll_results.Trouble(
                reason=failure_reasons.of(error), text=problem[: errors.LONGEST]
            )
            self._close()
        self._fleet.note_poll(
            self.name,
            duration=time.monotonic() - begun,
            trouble=trouble,
            wall=time.time(),
        )
        self._tell(problem)

    def _survived(self, error: Exception) -> str:
        """Count what nobody expected, and return what to say of it."""
        self._connection.failures[self.name] += 1
        return self._scrub(f"{type(error).__name__}: {error}")

    def _close(self) -> None:
        try:
            self._question.close()
        except Exception as error:  # noqa: BLE001 -- the connection is given up in any case
            self._log.warning("poll_close_failed", poller=self.name, error=self._survived(error))

    def _tell(self, problem: str | None) -> None:
        """Log a change of state, not each attempt."""
        if problem is not None and not self._failing:
            self._log.warning("poll_failing", poller=self.name, error=problem)
        elif problem is None and self._failing:
            self._log.info("poll_recovered", poller=self.name)
        self._failing = problem is not None
