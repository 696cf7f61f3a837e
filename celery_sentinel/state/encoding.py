"""Structs to msgpack, whatever strangers have put into them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from celery_sentinel.state import schema as state_schema

_LEAST, _MOST = -(2**63), 2**63 - 1
_ENCODER = msgspec.msgpack.Encoder()
# A lone surrogate in a text, or a number that needs more than 64 bits.
_REFUSED = (UnicodeEncodeError, OverflowError)


def encode(struct: state_schema.Head | state_schema.Portion) -> bytes:
    """Encode a frame; records that cannot be written are left out, other values are mended."""
    try:
        return _ENCODER.encode(struct)
    except _REFUSED:
        plain = msgspec.to_builtins(struct)
        if "records" in plain and isinstance(plain["records"], list):
            plain["records"] = [row for row in plain["records"] if _is_encodable(row)]
        return _ENCODER.encode(_mended(plain))


def _is_encodable(row: object) -> bool:
    try:
        _ENCODER.encode(row)
    except _REFUSED:
        return False
    return True


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, int) and not isinstance(value, bool):
        return max(_LEAST, min(_MOST, value))
    if isinstance(value, dict):
        return {_mended(key): _mended(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mended(item) for item in value]
    return value
