"""Words how the broker fares in one line: what it is, its memory, its clients, its alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.web import wording

if TYPE_CHECKING:
    from collections.abc import Iterator

    from celery_sentinel import status as status_document

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_STEP = 1024


def line(found: status_document.ConditionStatus) -> wording.Html:
    """Return what is known of the broker; what is not known is left out."""
    told = " &middot; ".join(_parts(found))
    return wording.Html(f'<span class="detail dim">{told}</span>' if told else "")


def _parts(found: status_document.ConditionStatus) -> Iterator[str]:
    names = (found.product, found.version, found.mode, found.role)
    known = [wording.short_name(name) for name in names if name]
    if known:
        yield " ".join(known)
    if found.memory_used_bytes is not None:
        limit = "no limit" if found.memory_max_bytes is None else _size(found.memory_max_bytes)
        of = f"of {limit}" if found.memory_max_bytes is not None else limit
        yield f"memory {_size(found.memory_used_bytes)} {of}"
    if found.eviction_policy:
        yield wording.short_name(found.eviction_policy)
    if found.evicted_keys:
        yield f"{wording.counted(found.evicted_keys, 'key')} thrown away"
    if found.clients is not None:
        most = "" if found.clients_max is None else f" of {found.clients_max:,}"
        yield f"{wording.counted(found.clients, 'connection')}{most}"
    for alarm in found.alarms:
        yield wording.pill(f"{alarm} alarm", "bad")


def _size(count: int) -> str:
    """Return bytes in the unit in which they are from 1 to 1024."""
    size, unit = float(count), 0
    while size >= _STEP and unit < len(_UNITS) - 1:
        size, unit = size / _STEP, unit + 1
    return f"{size:.3g} {_UNITS[unit]}" if unit else f"{count} B"
