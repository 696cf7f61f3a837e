"""The lock of the model, on which writers and readers take turns."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class TurnstileLock:
    """A lock that neither the writer nor a reader can keep from the other.

    Python's locks are not fair: a thread that releases and takes again at once wins against all
    that wait. Here whoever waits for the lock holds the turnstile meanwhile, so the other queues
    behind it: writer and reader take turns.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turnstile = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Hold the model still; keep it short, a few milliseconds at most."""
        with self:
            yield

    def __enter__(self) -> None:
        with self._turnstile:
            self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
