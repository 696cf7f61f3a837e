"""Queues that a process makes for itself have names of their own: this finds what they share."""

from __future__ import annotations

import re

_SHORTEST = 32  # characters of a UUID without its hyphens
_UUID = re.compile(
    r"[._:/-]?(?<![0-9a-f])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f])"
    r"|[._:/-]?(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])",
    re.IGNORECASE,
)
_NAMED_BY_BROKER = "amq.gen"
_DIRECT = re.compile(r"[^@]+@.+\.dq\Z", re.DOTALL)  # Celery's worker_direct, named by node
DIRECT = "*.dq"
NAMELESS = "uuid"


def of(name: str) -> str:
    """Return a queue's name without the parts that a process made up, the name itself if none.

    ``bcast.<uuid>`` of kombu's Broadcast is ``bcast``; within a name a UUID is ``*``.
    """
    if name.endswith(".dq"):
        return DIRECT if _DIRECT.match(name) else name
    if name.startswith(f"{_NAMED_BY_BROKER}-"):
        return _NAMED_BY_BROKER
    if len(name) < _SHORTEST:
        return name
    return _UUID.sub(_stand_in, name) or NAMELESS


def _stand_in(found: re.Match[str]) -> str:
    if found.end() == len(found.string):
        return ""
    text = found[0]
    return f"{text[0]}*" if text[0] in "._:/-" else "*"
