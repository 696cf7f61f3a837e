"""The errors an operator can meet, each with the exit code it ends the process with."""

from __future__ import annotations

LONGEST = 1000  # characters of what a broker error says


class SentinelError(Exception):
    """A failure whose text is written for the operator: found, allowed, what to do."""

    exit_code = 1


class ConfigError(SentinelError):
    """A flag, an environment variable or the config file cannot be used."""

    exit_code = 2


class ListenError(SentinelError):
    """The HTTP server cannot listen where it was told to."""

    exit_code = 3


class BrokerError(SentinelError):
    """The broker cannot be reached or was lost; the receiver tries again.

    ``reason`` is the value of the ``reason`` label on
    ``celery_sentinel_stream_gaps_total``. ``since`` is the monotonic time until which
    everything is known to have been heard; None is the moment of the error. ``doubtful`` is a
    subscription that may be dead and is to be renewed to find that out.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str = "error",
        since: float | None = None,
        doubtful: bool = False,
    ) -> None:
        # What a server says may be of any length, and is shown in logs and pages.
        super().__init__(message if len(message) <= LONGEST else message[: LONGEST - 1] + "…")
        self.reason = reason
        self.since = since
        self.doubtful = doubtful
