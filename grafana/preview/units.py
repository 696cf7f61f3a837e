"""Values as Grafana writes them, for the units that the dashboards use."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHORT = ((1e9, " Bil"), (1e6, " Mil"), (1e3, " K"))
_BYTES = ((1 << 30, " GiB"), (1 << 20, " MiB"), (1 << 10, " KiB"), (1, " B"))
_SECONDS = ((86400.0, " days"), (3600.0, " hours"), (60.0, " mins"), (1.0, " s"))
_SCALES = {"short": _SHORT, "bytes": _BYTES}
_RATES = {"cps": "c/s", "cpm": "c/m"}
_MILLI = 1e-3
_MANY, _SOME, _FEW = 100, 10, 0.1  # from which on no, one, two digits behind the point are enough


def base(unit: str) -> int:
    """Return what the powers of are round in a unit."""
    return 1024 if unit == "bytes" else 10


def text(value: float, unit: str, decimals: int | None = None) -> str:
    """Return a value with its unit; three digits that count, unless decimals are given."""
    if math.isnan(value):
        return "NaN"
    if unit == "percentunit":
        return f"{_digits(value * 100, decimals)}%"
    if unit == "s":
        return _seconds(value, decimals)
    if unit in _SCALES:
        return _scaled(value, _SCALES[unit], decimals)
    return f"{_digits(value, decimals)} {_RATES.get(unit, '')}".rstrip()


def _seconds(value: float, decimals: int | None) -> str:
    if value and abs(value) < _MILLI:
        return f"{_digits(value * 1e6, decimals)} µs"
    if value and abs(value) < 1:
        return f"{_digits(value * 1e3, decimals)} ms"
    return _scaled(value, _SECONDS, decimals) if value else "0 s"


def _scaled(value: float, scales: Sequence[tuple[float, str]], decimals: int | None) -> str:
    for size, name in scales:
        if abs(value) >= size:
            return f"{_digits(value / size, decimals)}{name}"
    return _digits(value, decimals)


def _digits(value: float, decimals: int | None) -> str:
    if decimals is None:
        size = abs(value)
        decimals = 0 if size >= _MANY else 1 if size >= _SOME else 2 if size >= _FEW else 4
        written = f"{value:.{decimals}f}"
        return written.rstrip("0").rstrip(".") if "." in written else written
    return f"{value:.{decimals}f}"
