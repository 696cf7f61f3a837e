"""Waiting for what another process will do, so that no test guesses with a sleep."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_POLL_SECONDS = 0.02


def wait_until(
    predicate: Callable[[], T], timeout: float, what: str, *, every: float = _POLL_SECONDS
) -> T:
    """Call ``predicate``, each ``every`` seconds, until it returns something true; return that.

    After ``timeout`` seconds a TimeoutError says ``what`` did not happen, and shows the
    last value.
    """
    deadline = time.monotonic() + timeout
    while not (value := predicate()):
        if time.monotonic() >= deadline:
            raise TimeoutError(f"{what}: not within {timeout:g} s; last seen: {value!r}")
        time.sleep(every)
    return value
