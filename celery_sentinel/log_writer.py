"""Writes the log in a thread of its own: a reader of it who stalls must not stall the daemon."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
import time
from collections import deque

MOST_LINES = 10_000  # that wait to be written
MOST_BYTES = 8 * 1024 * 1024
FLUSHED_WITHIN = 2.0  # seconds for what waits when the process ends
_PATIENCE_MS = 500


class LogWriter:
    """A queue of lines before stderr, bounded in lines and bytes; the newest are dropped.

    ``dropped`` counts the lines that were not written: no room, no stderr, or nobody who reads it.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._descriptor = _descriptor_of_stderr()
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._ready = threading.Condition()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def write(self, line: str) -> None:
        """Take a line to be written, or count it as dropped; never waits, never raises."""
        data = f"{line}\n".encode(errors="backslashreplace")
        with self._ready:
            full = len(self._lines) >= MOST_LINES or self._bytes + len(data) > MOST_BYTES
            if full or self._descriptor is None or self._ending:
                self.dropped += 1
                return
            self._lines.append(data)
            self._bytes += len(data)
            self._ready.notify()

    def close(self) -> None:
        """Write what waits, as far as that is possible within two seconds."""
        with self._ready:
            self._ending = True
            self._ready.notify()
        if self._thread.ident is not None:
            self._thread.join(FLUSHED_WITHIN)

    def _run(self) -> None:
        while (data := self._next()) is not None:
            written = self._written(data)
            with self._ready:
                self.dropped += not written

    def _next(self) -> bytes | None:
        """Wait for the next line; None when the last has been written and no more will come."""
        with self._ready:
            while not self._lines and not self._ending:
                self._ready.wait()
            if not self._lines:
                return None
            data = self._lines.popleft()
            self._bytes -= len(data)
            return data

    def _written(self, data: bytes) -> bool:
        """Write a line whole, however long that takes; return whether it was."""
        descriptor = self._descriptor
        try:
            while data and descriptor is not None:
                with contextlib.suppress(BlockingIOError):
                    data = data[os.write(descriptor, data) :]
                    continue
                _wait_for(descriptor)
        except OSError:
            return False
        return not data


def _wait_for(descriptor: int) -> None:
    """Wait until somebody reads: stderr may have been set not to block by who gave it to us."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    if not poll.poll(_PATIENCE_MS):
        return
    time.sleep(0.001)  # a pipe may be ready for less than a line


def _descriptor_of_stderr() -> int | None:
    """Return where to write, None where the process was started without stderr."""
    try:
        return sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        return None


def open_standard_streams() -> None:
    """Open /dev/null in the place of each standard stream that is closed.

    Else the next socket or file would get its number, and what a library writes to it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
