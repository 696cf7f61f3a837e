"""Words how the broker fares in one line: what it is, its memory, its clients, its alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.web.pages import html as html_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from celery_sentinel.status import schema as status_schema

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_STEP = 1024


def line(found: status_schema.ConditionStatus) -> html_text.Html:
    """Return what is known of the broker; what is not known is left out."""
    told = " &middot; ".join(_parts(found))
    return html_text.Html(f'<span class="detail dim">{told}</span>' if told else "")


def _parts(found: status_schema.ConditionStatus) -> Iterator[str]:
    names = (found.product, found.version, found.mode, found.role)
    known = [html_text.short_name(name) for name in names if name]
    if known:
        yield " ".join(known)
    if found.memory_used_bytes is not None:
        limit = "no limit" if found.memory_max_bytes is None else _size(found.memory_max_bytes)
        of = f"of {limit}" if found.memory_max_bytes is not None else limit
        yield f"memory {_size(found.memory_used_bytes)} {of}"
    if found.eviction_policy:
        yield html_text.short_name(found.eviction_policy)
    if found.evicted_keys:
        yield f"{html_text.counted(found.evicted_keys, 'key')} thrown away"
    if found.clients is not None:
        most = "" if found.clients_max is None else f" of {found.clients_max:,}"
        yield f"{html_text.counted(found.clients, 'connection')}{most}"
    for alarm in found.alarms:
        yield html_text.pill(f"{alarm} alarm", "bad")


def _size(count: int) -> str:
    """Return bytes in the unit in which they are from 1 to 1024."""
    size, unit = float(count), 0
    while size >= _STEP and unit < len(_UNITS) - 1:
        size, unit = size / _STEP, unit + 1
    return f"{size:.3g} {_UNITS[unit]}" if unit else f"{count} B"
