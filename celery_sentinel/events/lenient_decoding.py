"""Makes events of parsed objects that strict decoding refused, field by field."""

from __future__ import annotations

import math
import uuid as uuids
from typing import Any

from celery_sentinel.events.event import LONGEST, MAX_KEPT, Event


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if abs(number) <= LONGEST else None  # NaN is nothing, either


def _moment(value: Any) -> float | None:
    number = _number(value)
    return number if number is not None and number >= 0.0 else None


def _integer(value: Any) -> int | None:
    if isinstance(value, float):
        return int(value) if math.isfinite(value) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _kept(value: Any) -> int | None:
    """Return an integer of 64 bits: it is remembered, and a larger one has no bound."""
    number = _integer(value)
    if number is None or not -MAX_KEPT <= number <= MAX_KEPT:
        return None
    return number


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _numbers(value: Any) -> list[float] | None:
    if not isinstance(value, list):
        return None
    numbers = [_number(item) for item in value]
    return [n for n in numbers if n is not None] if None not in numbers else None


def _identity(value: Any) -> str | None:
    """Return the canonical form of a task id, which kombu may have wrapped as a dict.

    One that is an integer, as an application may choose it, is the text of its digits.
    """
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_KEPT:
        return str(value)
    if isinstance(value, dict) and value.get("__type__") == "uuid":
        wrapped = value.get("__value__")
        value = wrapped.get("hex") if isinstance(wrapped, dict) else wrapped
        try:
            return str(uuids.UUID(value))
        except (ValueError, TypeError, AttributeError):
            return None
    return _string(value)


_READERS: dict[str, Any] = {
    **dict.fromkeys(("pid", "active", "processed"), _integer),
    **dict.fromkeys(("clock", "retries"), _kept),
    **dict.fromkeys(("runtime", "freq"), _number),
    "timestamp": _moment,
    **dict.fromkeys(("terminated", "expired", "requeue"), _boolean),
    "loadavg": _numbers,
    **dict.fromkeys(("uuid", "parent_id"), _identity),
}


def typed(raw: Any) -> Event | None:
    """Build an event from a parsed object, dropping each field that has a wrong type.

    Returns None for what is no event: not a mapping, no type, or a task id that is none.
    """
    if not isinstance(raw, dict):
        return None
    fields = {}
    for field in Event.__struct_fields__:
        if field in raw:
            value = _READERS.get(field, _string)(raw[field])
            if value is not None:
                fields[field] = value
    if "type" not in fields or ("uuid" in raw and "uuid" not in fields):
        return None
    return Event(**fields)
