"""Turns the signals that ask the demo to stop into something its loops can look at."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import FrameType, TracebackType

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Asked:
    """Counts requests to stop; as a context it stands in for the handlers of these signals.

    A flag rather than an exception, which could strike between the start of a process and the
    moment it is known. Must be entered in the main thread.
    """

    def __init__(self) -> None:
        self._count = 0
        self._previous: dict[signal.Signals, Any] = {}

    def __bool__(self) -> bool:
        """Tell whether anybody asked."""
        return self._count > 0

    def insists(self) -> bool:
        """Tell whether somebody asked again, and wants no more waiting."""
        return self._count > 1

    def __enter__(self) -> Self:
        for number in STOPPING:
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue  # started with nohup, to outlive its terminal
            self._previous[number] = signal.signal(number, self._count_one)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _count_one(self, _number: int, _frame: FrameType | None) -> None:
        self._count += 1
