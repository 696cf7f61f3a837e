"""Asks the result backend now and then whether it is there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from celery_sentinel import errors

if TYPE_CHECKING:
    from celery_sentinel.fleet import result_backend_health
    from celery_sentinel.result_backend import check as result_backend

INTERVAL = 15.0  # seconds


class BackendPoll:
    """The question to the result backend; what it found is in ``state``."""

    name = "result_backend"

    def __init__(
        self, asked: result_backend.ResultBackend, state: result_backend_health.Backend
    ) -> None:
        self._asked = asked
        self._state = state
        self._next = 0.0

    def due(self, now: float) -> bool:
        """Tell whether the interval is over."""
        return now >= self._next

    def ask(self) -> None:
        """Ask once."""
        self._next = time.monotonic() + INTERVAL
        try:
            self._state.note(self._asked.check())
        except errors.BrokerError:
            self._state.note(None)
            raise

    def close(self) -> None:
        """Drop the connection."""
        self._asked.close()
