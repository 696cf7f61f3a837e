"""The log of a daemon, held to its promise: one line for each change of state."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_EVENT = re.compile(r"^ts=\S+ level=\w+ event=(\w+)(.*)$", re.MULTILINE)
_POLLER = re.compile(r"\bpoller=(\w+)")
# What an event is about, and the state it tells; a state is told again only after another.
_STATES = {
    "broker_connected": ("stream", "up"),
    "broker_reconnected": ("stream", "up"),
    "broker_resumed": ("stream", "up"),
    "broker_lost": ("stream", "away"),
    "broker_unreachable": ("stream", "away"),
    "poll_failing": ("poll", "failing"),
    "poll_recovered": ("poll", "answered"),
    "enable_events_failed": ("enable_events", "failing"),
    "enable_events_asked": ("enable_events", "asked"),
}
_REPEATED = frozenset({"asked"})  # a worker that may not have listened is asked twice
_LIBRARY = "library_log"  # what a library says by itself: no news of ours, and mostly a traceback


def events(text: str) -> list[str]:
    """Return the names of all events, in their order."""
    return [found.group(1) for found in _EVENT.finditer(text)]


def repeats(text: str) -> list[str]:
    """Return the lines that tell a state which was told already, and those of libraries."""
    return list(_repeats(text))


def _repeats(text: str) -> Iterator[str]:
    told: dict[tuple[str, str], str] = {}
    for found in _EVENT.finditer(text):
        if found.group(1) == _LIBRARY:
            yield found.group(0)
        subject, state = _STATES.get(found.group(1), (None, ""))
        if subject is None:
            continue
        poller = _POLLER.search(found.group(2))
        key = subject, poller.group(1) if poller else ""
        if told.get(key) == state and state not in _REPEATED:
            yield found.group(0)
        told[key] = state
