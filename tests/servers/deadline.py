"""Waiting for what another process will do, so that no test guesses with a sleep."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_FIRST_SECONDS = 0.02
_LAST_SECONDS = 0.2
_TICK = 0.05


def wait_until(
    predicate: Callable[[], T], timeout: float, what: str, *, every: float | None = None
) -> T:
    """Call ``predicate`` until it returns something true, and return that.

    It is called each ``every`` seconds; without that each 0.02 s at first, then less often the
    longer it lasts, for other tests need the processor: down to each 0.2 s. After ``timeout``
    seconds a TimeoutError says ``what`` did not happen, and shows the last value.
    """
    start = time.monotonic()
    while not (value := predicate()):
        waited = time.monotonic() - start
        if waited >= timeout:
            raise TimeoutError(f"{what}: not within {timeout:g} s; last seen: {value!r}")
        time.sleep(every or min(max(_FIRST_SECONDS, waited / 10), _LAST_SECONDS))
    return value


class Running:
    """Counts in ``seconds`` the time in which this process got the processor; a context manager.

    A loaded machine may stand still for seconds. What is asked of another process meanwhile is
    not late for that, so such a time counts as little more than one tick.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._count, daemon=True)

    def _count(self) -> None:
        last = time.monotonic()
        while not self._over.wait(_TICK):
            now = time.monotonic()
            self.seconds += min(now - last, 2 * _TICK)
            last = now

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
