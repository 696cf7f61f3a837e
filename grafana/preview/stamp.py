"""Which dashboard a picture shows, written into the picture, so that a test can tell an old one."""

from __future__ import annotations

import hashlib
import json
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Mapping

KEY = "layout"
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEAD = struct.Struct(">I4s")  # of a chunk: the length of what is in it, and its kind
_CHECK = 4  # bytes of checksum behind it


def of(dashboard: Mapping[str, Any]) -> str:
    """Return what stands for the titles of a dashboard, its panels, their kinds and places."""
    panels = [[one["title"], one["type"], one["gridPos"]] for one in dashboard["panels"]]
    told = json.dumps([dashboard["title"], panels], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def read(picture: pathlib.Path) -> str | None:
    """Return what was written into a PNG; None if nothing was. Raise ValueError for no PNG."""
    data = picture.read_bytes()
    if not data.startswith(_SIGNATURE):
        raise ValueError(f"{picture} is no PNG")
    at = len(_SIGNATURE)
    while at + _HEAD.size <= len(data):
        length, kind = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        key, _, text = data[at : at + length].partition(b"\0")
        if kind == b"tEXt" and key == KEY.encode():
            return text.decode("latin-1")
        at += length + _CHECK
    return None
