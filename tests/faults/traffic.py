"""Tasks sent at a steady pace, whatever happens to the broker meanwhile."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any, Self

from kombu import exceptions

if TYPE_CHECKING:
    from tests.servers import producer

_STOP_SECONDS = 30.0


class Traffic:
    """Sends ``task`` each ``every`` seconds from a thread of its own; a context manager."""

    def __init__(
        self,
        sender: producer.Producer,
        task: str,
        args: tuple[Any, ...],
        *,
        every: float,
        options: dict[str, Any],
    ) -> None:
        self._sender = sender
        self._task = task
        self._args = args
        self._every = every
        self._options = options
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def stop(self) -> None:
        """Send no more."""
        self._stopped.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        while not self._stopped.wait(self._every):
            # What cannot be sent is not sent: a broker may be away.
            with contextlib.suppress(exceptions.OperationalError, OSError):
                self._sender.send(self._task, *self._args, **self._options)
