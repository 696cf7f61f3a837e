"""Words values for people as HTML that is safe whatever a worker wrote into a name."""

from __future__ import annotations

import datetime as dt
import html
import math
from typing import NewType

Html = NewType("Html", str)
"""Text that is escaped already; only this module and the page make it from plain text."""

UNKNOWN = Html('<span class="dim">&ndash;</span>')

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR


def text(value: str) -> Html:
    """Escape; what has no glyph, or turns the direction of its line, is shown as its code."""
    visible = "".join(mark if mark.isprintable() else _code(mark) for mark in value)
    return Html(html.escape(visible))


def name(value: str) -> Html:
    """Escape a name of a task, queue or worker; right-to-left letters stay within it."""
    return Html(f"<bdi>{text(value)}</bdi>")


def pill(label: str, tone: str) -> Html:
    """Return a coloured label; ``tone`` is good, bad or calm."""
    return Html(f'<span class="pill {tone}">{text(label)}</span>')


def number(value: int | None) -> Html:
    """Return a count with thousands separators."""
    return UNKNOWN if value is None else Html(f"{value:,}")


def load(averages: tuple[float, float, float] | None) -> Html:
    """Return the load averages over 1, 5 and 15 minutes."""
    if averages is None:
        return UNKNOWN
    return Html(" ".join(f"{average:.2f}" for average in averages))


def percent(part: int, whole: int) -> Html:
    """Return a ratio; a small one is never rounded to nothing."""
    if whole <= 0:
        return UNKNOWN
    ratio = 100 * part / whole
    if 0 < ratio < 0.1:  # noqa: PLR2004 - the last digit shown
        return Html("&lt; 0.1 %")
    return Html(f"{ratio:.1f} %")


def ago(seconds: float) -> Html:
    """Return how long ago something happened, to the whole second."""
    if seconds < 1:
        return Html("just now")
    return Html(f"{int(seconds)} s ago" if seconds < _MINUTE else f"{duration(seconds)} ago")


def duration(seconds: float | None) -> Html:
    """Return a duration in the two units that matter: ``35 ms``, ``1.2 s``, ``3 h 5 min``."""
    if seconds is None or not math.isfinite(seconds):
        return UNKNOWN
    if seconds < 1:
        return Html(f"{int(max(seconds, 0) * 1000)} ms")
    if seconds < _MINUTE:
        return Html(f"{int(seconds * 10) / 10:.1f} s")
    if seconds < _HOUR:
        return _two(seconds, (_MINUTE, "min"), (1, "s"))
    if seconds < _DAY:
        return _two(seconds, (_HOUR, "h"), (_MINUTE, "min"))
    return _two(seconds, (_DAY, "d"), (_HOUR, "h"))


def moment(epoch_seconds: float) -> Html:
    """Return a point in time to the second in UTC."""
    then = dt.datetime.fromtimestamp(epoch_seconds, tz=dt.UTC)
    return Html(f"{then:%Y-%m-%d %H:%M:%S} UTC")


def _two(seconds: float, large: tuple[int, str], small: tuple[int, str]) -> Html:
    whole, rest = divmod(int(seconds), large[0])
    part = rest // small[0]
    return Html(f"{whole:,} {large[1]} {part} {small[1]}" if part else f"{whole:,} {large[1]}")


def _code(mark: str) -> str:
    return f"\\u{ord(mark):04x}" if ord(mark) <= 0xFFFF else f"\\U{ord(mark):08x}"  # noqa: PLR2004 - the plane
