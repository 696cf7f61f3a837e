"""Says what events are written in that are not read, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_KNOWN = {
    "application/x-python-serialize": "pickle, which is never read, for to read it is to run it",
    "application/x-yaml": "YAML, which is not read",
    "application/data": "signed messages (the serializer auth), which are not read",
}


def notes(refused: Mapping[str, int]) -> list[str]:
    """Return a note for each content type; ``refused`` are messages by type."""
    return [
        f"{count:,} message(s) of events came as {_named(kind)}: set event_serializer = 'json' (or "
        "'msgpack') in the workers and producers that write them. Nothing they say is counted."
        for kind, count in sorted(refused.items())
    ]


def _named(kind: str) -> str:
    known = _KNOWN.get(kind)
    printable = "".join(char if char.isprintable() else "?" for char in kind)
    return f"{printable} ({known})" if known else f"{printable}, which is not read"
