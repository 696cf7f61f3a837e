"""Whether the result backend is there."""

from __future__ import annotations


class Backend:
    """The result backend as the last poll found it; ``up`` is None before the first one."""

    __slots__ = ("round_trip", "transport", "up")

    def __init__(self, transport: str) -> None:
        self.transport = transport
        self.up: bool | None = None
        self.round_trip: float | None = None

    def note(self, round_trip: float | None) -> None:
        """Note a poll: how long the answer took in seconds, None if there was none."""
        self.up = round_trip is not None
        self.round_trip = round_trip
