"""Tells a supervisor such as systemd how the daemon fares: the datagrams of sd_notify(3)."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from typing import TYPE_CHECKING

from celery_sentinel import logs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableMapping

_VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
_SEND_SECONDS = 0.5  # how long a supervisor that reads nothing may hold us up
_FEEDS = 3  # within one period of the watchdog, so that a late one does no harm
_STATUS_SECONDS = 2.0  # the least time between two texts, many of which count seconds
_LONGEST_STATUS = 512


class Supervisor:
    """The process that started us and wants to be told; most start us without one.

    Takes its variables out of ``environ``: what they say is meant for this process and not for
    its children. What cannot be delivered is sent again with what comes next, and each failure is
    reported to ``failed``. May be used by several threads.
    """

    def __init__(
        self, environ: MutableMapping[str, str], *, failed: Callable[[], None] = lambda: None
    ) -> None:
        self._log = logs.get(__name__)
        self._failed = failed
        address, period, pid = (environ.pop(name, "") for name in _VARIABLES)
        self._socket, self._address = self._opened(address)
        self._period = self._period_of(period, pid) if self._socket else None
        self._lock = threading.Lock()
        self._owed: dict[str, str] = {}
        self._told = True
        self._turned_at = self._fed_at = float("-inf")
        self._status, self._status_at = "", float("-inf")

    @property
    def period(self) -> float | None:
        """The seconds within which the watchdog wants food; None without a watchdog."""
        return self._period

    def ready(self) -> None:
        """Tell that we are up: the start, or a reload, is over."""
        self._send({"READY": "1"})

    @contextlib.contextmanager
    def told_of_reload(self) -> Iterator[None]:
        """Tell that a reload has begun, and that it is over, whatever came of it."""
        # The clock of systemd, which tells this reload from one before it.
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send({"RELOADING": "1", "MONOTONIC_USEC": str(now)})
        try:
            yield
        finally:
            self.ready()

    def stopping(self) -> None:
        """Tell that we stop as asked."""
        self._send({"STOPPING": "1", "STATUS": "stopping"})

    def tell(self, text: str, now: float) -> None:
        """Show ``text`` as our state when it is news; ``now`` is monotonic, in seconds."""
        # One line: what an error text quotes must not become an assignment of its own.
        line = "".join(char if char.isprintable() else " " for char in text)[:_LONGEST_STATUS]
        if line != self._status and now - self._status_at >= _STATUS_SECONDS:
            self._status, self._status_at = line, now
            self._send({"STATUS": line})

    def feed(self, turned_at: float, now: float) -> None:
        """Feed the watchdog if the loop it watches has turned since it was fed last.

        ``turned_at`` is the monotonic time of the loop's last turn. A loop that stands still is
        not fed again, so the watchdog bites one period after its last turn at most.
        """
        if self._period is None or turned_at <= self._turned_at:
            return
        if now - self._fed_at >= self._period / _FEEDS and self._send({"WATCHDOG": "1"}):
            self._turned_at, self._fed_at = turned_at, now

    def _send(self, fields: dict[str, str]) -> bool:
        """Send assignments, and before them those that could not be sent; tell whether it went.

        Never raise.
        """
        if self._socket is None:
            return False
        with self._lock:
            if "READY" in fields:  # a reload nobody heard of is over as well
                self._owed.pop("RELOADING", None)
                self._owed.pop("MONOTONIC_USEC", None)
            self._owed |= fields
            message = "\n".join(f"{name}={value}" for name, value in self._owed.items())
            try:
                # Replacing what is not UTF-8: an error text may hold any bytes of a stranger.
                self._socket.sendto(message.encode(errors="replace"), self._address)
            except OSError as error:
                self._failed()
                if self._told:
                    self._log.warning("supervisor_not_told", error=str(error))
                self._told = False
                self._owed.pop("WATCHDOG", None)  # later it would tell of a turn long ago
                return False
            self._told = True
            self._owed.clear()
            return True

    def _opened(self, address: str) -> tuple[socket.socket | None, str]:
        """Return a socket and where to send; None where nobody listens, or in a way unknown."""
        if not address:
            return None, ""
        if address[0] not in "@/":
            self._log.warning(
                "supervisor_ignored",
                found=f"NOTIFY_SOCKET={address}",
                allowed="an absolute path, or @ and the name of an abstract socket",
            )
            return None, ""
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        channel.settimeout(_SEND_SECONDS)
        return channel, "\0" + address[1:] if address[0] == "@" else address

    def _period_of(self, text: str, pid: str) -> float | None:
        """Return the period of the watchdog in seconds, None if there is none for us."""
        if not text or pid not in ("", str(os.getpid())):
            return None
        # isdigit alone takes digits that int does not.
        if not (text.isascii() and text.isdigit()) or len(text) > 18 or int(text) == 0:  # noqa: PLR2004 - 64 bits
            self._log.warning(
                "watchdog_ignored",
                found=f"WATCHDOG_USEC={text}",
                allowed="a whole number of microseconds above 0",
            )
            return None
        return int(text) / 1e6
