"""How our own questions to broker, workers and result backend fared."""

from __future__ import annotations


class Poll:
    """The last run of one poller: duration in seconds, outcome, last success in epoch seconds."""

    __slots__ = ("duration", "last_success", "success")

    def __init__(self) -> None:
        self.duration: float | None = None
        self.success: bool | None = None
        self.last_success: float | None = None

    def note(self, *, duration: float, success: bool, wall: float) -> None:
        """Note a run that has just ended."""
        self.duration = duration
        self.success = success
        if success:
            self.last_success = wall
