"""Remembers on disk what /metrics has shown, which may be newer than the last snapshot."""

from __future__ import annotations

import time

from celery_sentinel.metrics import previous_exposition
from celery_sentinel.state import file as state_file

_MAGIC = b"CSshown\n"
_VERSION = 1
_FRAME = 16 * 1024 * 1024
# Scrapers who never rest shall not keep the disk busy: after a write that took longer than a few
# milliseconds nothing is written for ten times as long, less so much (seconds).
_LEAST_REST = 10
_FREE = 0.1


class LastExposition:
    """The last exposition, beside the state file.

    It is not synced to the disk: against a kill of the process the system's memory is enough,
    and a scrape shall not wait for a disk.
    """

    def __init__(self, file: str, largest: int) -> None:
        self._store = state_file.Store(
            f"{file}.shown",
            magic=_MAGIC,
            version=_VERSION,
            largest=largest,
            durable=False,
        )
        self._rest_until = 0.0

    def write(self, body: bytes, lineage: str) -> None:
        """Remember an exposition; raise StateError if it cannot be written."""
        begun = time.monotonic()
        if begun < self._rest_until:
            return
        blocks = (body[start : start + _FRAME] for start in range(0, len(body), _FRAME))
        try:
            self._store.write((lineage.encode(), *blocks))
        finally:
            ended = time.monotonic()
            self._rest_until = ended + _LEAST_REST * (ended - begun) - _FREE

    def read(self, lineage: str, since: float) -> previous_exposition.PreviousExposition | None:
        """Return what was shown by the daemon that left this state; None if that is not known.

        Raise StateError for a file that is there and cannot be used.
        """
        frames = self._store.read()
        if frames is None or next(frames, b"") != lineage.encode():
            return None
        return previous_exposition.PreviousExposition(b"".join(frames), since)

    def remove(self) -> None:
        """Remove the file: it belongs to counters that are no more."""
        self._store.remove()

    def tidy(self) -> None:
        """Remove what a writer that was killed left behind."""
        self._store.tidy()
