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
_LONGEST = 10_000 * _DAY
_NAMES = 3
_NAME_LENGTH = 32


def text(value: str) -> Html:
    """Escape; what has no glyph, or turns the direction of its line, is shown as its code."""
    visible = "".join(mark if mark.isprintable() else _code(mark) for mark in value)
    return Html(html.escape(visible))


def name(value: str) -> Html:
    """Escape a name of a task, queue or worker; right-to-left letters stay within it."""
    return Html(f"<bdi>{text(value)}</bdi>")


def pill(label: str, tone: str) -> Html:
    """Return a coloured label; ``tone`` is good, warn, bad or calm."""
    return Html(f'<span class="pill {tone}">{text(label)}</span>')


def number(value: int | None) -> Html:
    """Return a count with thousands separators."""
    return UNKNOWN if value is None else Html(f"{value:,}")


def counted(count: int, noun: str) -> Html:
    """Return ``1 queue`` or ``3 queues``."""
    return Html(f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s")


def share(part: int | None, whole: int | None) -> Html:
    """Return how much of something is used: ``3 / 8``, or ``3`` where the whole is not known."""
    if whole is None:
        return number(part)
    return Html(f"{number(part)} / {number(whole)}")


def short_name(value: str) -> Html:
    """Escape a name of which the beginning is enough."""
    cut = len(value) > _NAME_LENGTH
    return name(f"{value[:_NAME_LENGTH]}\N{HORIZONTAL ELLIPSIS}" if cut else value)


def names(values: tuple[str, ...] | None) -> Html:
    """Return the first names, each cut to what can be read, and how many more there are."""
    if values is None:
        return UNKNOWN
    shown = ", ".join(map(short_name, values[:_NAMES]))
    more = len(values) - _NAMES
    return Html(f'{shown} <span class="dim">+ {more:,} more</span>' if more > 0 else shown)


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
    """Return a duration in the two units that matter: ``0.4 ms``, ``1.2 s``, ``3 h 5 min``."""
    if seconds is None or not math.isfinite(seconds):
        return UNKNOWN
    if seconds < 1:
        return _milliseconds(seconds)
    if seconds < _MINUTE:
        return Html(f"{int(seconds * 10) / 10:.1f} s")
    if seconds > _LONGEST:  # a header of a message may say what it likes
        return Html(f"over {_LONGEST // _DAY:,} d")
    return _long(seconds)


def _milliseconds(seconds: float) -> Html:
    """Return milliseconds; a tenth matters where a broker answers within one."""
    if 0 < seconds < 0.01:  # noqa: PLR2004 - ten milliseconds
        return Html(f"{max(int(seconds * 10_000), 1) / 10:.1f} ms")
    return Html(f"{int(max(seconds, 0) * 1000)} ms")


def moment(epoch_seconds: float) -> Html:
    """Return a point in time to the second in UTC."""
    then = dt.datetime.fromtimestamp(epoch_seconds, tz=dt.UTC)
    return Html(f"{then:%Y-%m-%d %H:%M:%S} UTC")


def _long(seconds: float) -> Html:
    if seconds < _HOUR:
        return _two(seconds, (_MINUTE, "min"), (1, "s"))
    if seconds < _DAY:
        return _two(seconds, (_HOUR, "h"), (_MINUTE, "min"))
    return _two(seconds, (_DAY, "d"), (_HOUR, "h"))


def _two(seconds: float, large: tuple[int, str], small: tuple[int, str]) -> Html:
    whole, rest = divmod(int(seconds), large[0])
    part = rest // small[0]
    return Html(f"{whole:,} {large[1]} {part} {small[1]}" if part else f"{whole:,} {large[1]}")


def _code(mark: str) -> str:
    return f"\\u{ord(mark):04x}" if ord(mark) <= 0xFFFF else f"\\U{ord(mark):08x}"  # noqa: PLR2004 - the plane
