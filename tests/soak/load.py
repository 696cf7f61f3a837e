"""A steady load of every kind of task, which outlives the broker it is sent through."""

from __future__ import annotations

import contextlib
import itertools
import threading
from typing import TYPE_CHECKING, Any, Self

from kombu import exceptions

from tests.servers import deadline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import producer

RATE = 12.0  # tasks a second

# How the producer is to be configured. It tries again for a moment: a connection that died
# while nothing was sent is noticed by the next task only.
CONFIG = {
    "task_publish_retry": True,
    "task_publish_retry_policy": {"max_retries": 2, "interval_start": 0.1, "interval_step": 0.1},
    "broker_connection_timeout": 2.0,
}

_MIX: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("failing", ("value",)),
    ("retrying", (2,)),
    ("slow", (0.3,)),
    ("failing", ("declined",)),
    *(("quick", ()),) * 6,
    ("slow", (0.05,)),
    ("ignoring", ()),
    *(("quick", ()),) * 8,
)
_HALT_SECONDS = 90.0


class Load:
    """Sends the mix from a thread of its own while it is running; also a context manager.

    ``refused`` counts what the broker did not take.
    """

    def __init__(self, sending: producer.Producer) -> None:
        self.refused = 0
        self._sending = sending
        self._wanted = threading.Event()
        self._idle = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    @property
    def sent(self) -> int:
        """How many tasks the broker has taken."""
        return self._sending.sent.total()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Send while the block lasts; after it nothing is on its way any more."""
        self._idle.clear()
        self._wanted.set()
        try:
            yield
        finally:
            self._wanted.clear()
            self._idle.clear()  # again: it may have been set by a look before our cue
            deadline.wait_until(self._idle.is_set, _HALT_SECONDS, "the load has halted")

    def wait_for(self, tasks: int, seconds: float = 120.0) -> None:
        """Wait until the broker has taken ``tasks`` more."""
        until = self.sent + tasks
        deadline.wait_until(lambda: self.sent >= until, seconds, f"{tasks} more tasks are sent")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join(_HALT_SECONDS)

    def _run(self) -> None:
        mix = itertools.cycle(_MIX)
        while not self._closing.is_set():
            if not self._wanted.is_set():
                self._idle.set()
            elif not self._send(*next(mix)):
                self.refused += 1
            self._closing.wait(1 / RATE)

    def _send(self, name: str, arguments: tuple[Any, ...]) -> bool:
        try:
            self._sending.send(name, *arguments)
        except (exceptions.OperationalError, exceptions.ConnectionError, OSError):
            return False
        return True
