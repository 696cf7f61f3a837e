"""Waiting for what another process will do, so that no test guesses with a sleep."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_FIRST_SECONDS = 0.02
_LAST_SECONDS = 0.2


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
