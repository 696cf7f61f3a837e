"""Durations, so that nobody has to count the zeros of a day in seconds."""

from __future__ import annotations

import re

UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
LONGEST_DAYS = 3_650
ALLOWED = (
    "a number of seconds, or a duration such as 15s, 5m, 24h or 7d; "
    f"not negative, at most {LONGEST_DAYS}d"
)
_WRITTEN = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)([smhd])")


class Seconds(float):
    """A duration in seconds; ``str()`` writes it the way the config file does."""

    __slots__ = ()

    def __str__(self) -> str:
        if not self:
            return "0s"
        for unit, size in UNITS.items():
            if self % size == 0:
                return f"{self / size:.0f}{unit}"
        return f"{float(self):.9f}".rstrip("0") + "s"


def parse(value: object) -> Seconds:
    """Return the duration that a number of seconds or a text such as ``5m`` names.

    Raise ValueError for everything that ALLOWED does not describe.
    """
    if isinstance(value, str):
        written = _WRITTEN.fullmatch(value)
        seconds = float(written[1]) * UNITS[written[2]] if written else -1.0
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value
    else:
        seconds = -1.0
    if not 0 <= seconds <= LONGEST_DAYS * UNITS["d"]:  # false for NaN as well
        raise ValueError(ALLOWED)
    return Seconds(seconds)
