"""The end of a broker's socket: emptied ahead of the decoder, and aware of how far we are."""

from __future__ import annotations

import collections
import contextlib
import errno
import select
import socket
import ssl
import time
from typing import TYPE_CHECKING

from celery_sentinel import errors
from celery_sentinel.brokers import protocols

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_HELD = 128 * 1024 * 1024  # bytes read ahead; then the broker's own buffers fill
KEEPALIVE_AFTER = 10  # seconds of quiet before the kernel asks, then each so many
KEEPALIVE_EACH = 5
KEEPALIVE_PROBES = 3
USER_TIMEOUT = 20.0  # seconds in which the other host must have acknowledged what we sent
# Seconds in which events gather between two reads of a socket that was found empty: a wake-up
# costs more than the events of one message, and nobody sees 50 ms.
GATHER = 0.05
_TLS_RECORD = 16 * 1024  # a TLS socket never returns more at once
_NOTHING_YET = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_HALF_OPEN = {errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH}


class SocketReader:
    """A connected socket, read without blocking.

    When a read is full, all there is is taken into memory, at most ``MOST_HELD``, before the next
    portion goes to the decoder: a broker cuts off who leaves too much in its buffers.
    ``heard_at`` is when bytes last came, ``current_at`` when the socket was last found empty, both
    monotonic: what was sent until then has been received, whatever happened to us since.
    """

    def __init__(self, sock: socket.socket) -> None:
        keep_alive(sock)
        sock.setblocking(False)
        self._sock = sock
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._full = _TLS_RECORD if isinstance(sock, ssl.SSLSocket) else protocols.RECEIVE_BYTES
        self._held: collections.deque[bytes] = collections.deque()
        self._held_bytes = 0
        self._since_current = 0  # bytes
        self._flowing = False  # bytes have come since we last waited
        self._failure: errors.BrokerError | None = None
        self.heard_at = self.current_at = time.monotonic()

    def read(self) -> bytes | None:
        """Return at most 256 KiB, or None after a quiet ``interface.READ_TIMEOUT``.

        Raises ``errors.BrokerError`` once all that came before the break has been returned.
        """
        held = self._held
        if not held:
            if self._failure is not None:
                raise self._failure
            data = self._receive(wait=True)
            if data is None or len(data) < self._full:
                return data
            self._hold(data)
        self._empty()
        self._held_bytes -= len(held[0])
        return held.popleft()

    def send(self, data: bytes) -> None:
        """Send a few bytes at once; a peer that takes not even them is gone."""
        try:
            self._sock.sendall(data)
        except _NOTHING_YET:
            raise self._watchdog("the server takes nothing any more") from None
        except OSError as error:
            raise self._broken(error) from error

    def finish(self, seconds: float) -> None:
        """Read and drop until the peer has closed: closing first could cost what we sent last."""
        deadline = time.monotonic() + seconds
        with contextlib.suppress(OSError):
            while (left := deadline - time.monotonic()) > 0 and self._poll.poll(left * 1000):
                with contextlib.suppress(*_NOTHING_YET):
                    if not self._sock.recv(protocols.RECEIVE_BYTES):
                        return

    def _receive(self, *, wait: bool) -> bytes | None:
        """Return what one read brings, None if there is nothing (yet); raise at the end."""
        try:
            data = self._sock.recv(protocols.RECEIVE_BYTES)
        except _NOTHING_YET:
            self._caught_up(time.monotonic())
            return self._wait() if wait else None
        except OSError as error:
            raise self._broken(error) from error
        if not data:
            raise self._broken(None)
        self.heard_at = time.monotonic()
        self._since_current += len(data)
        self._flowing = True
        return data

    def _wait(self) -> bytes | None:
        if self._flowing:
            time.sleep(GATHER)
            self._flowing = False
            return self._receive(wait=True)
        ready = self._poll.poll(protocols.READ_TIMEOUT * 1000)
        # Had we been asleep meanwhile, the socket would have been so only for that long.
        self._caught_up(min(time.monotonic(), self.current_at + protocols.READ_TIMEOUT))
        return self._receive(wait=False) if ready else None

    def _caught_up(self, now: float) -> None:
        self.current_at, self._since_current = now, 0

    def _empty(self) -> None:
        """Take over what the socket holds, as far as there is room; keep a break for later."""
        try:
            while self._failure is None and self._held_bytes < MOST_HELD:
                data = self._receive(wait=False)
                if data is None:
                    return
                self._hold(data)
        except errors.BrokerError as error:
            self._failure = error

    def _hold(self, data: bytes) -> None:
        self._held.append(data)
        self._held_bytes += len(data)

    def _broken(self, error: OSError | None) -> errors.BrokerError:
        text = "closed by the server" if error is None else error.strerror or str(error)
        if error is not None and error.errno in _HALF_OPEN:
            return self._watchdog(text)
        # More than one read since the socket was last empty: it was we who did not keep up.
        reason = "slow_consumer" if self._since_current >= protocols.RECEIVE_BYTES else "error"
        return errors.BrokerError(text, reason=reason, since=self.current_at)

    def _watchdog(self, text: str) -> errors.BrokerError:
        return errors.BrokerError(text, reason="watchdog", since=self.heard_at)


def keep_alive(sock: socket.socket) -> None:
    """Have the kernel notice a peer that is gone; a unix socket cannot lose its peer unseen."""
    if sock.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _tcp_options():
        sock.setsockopt(socket.IPPROTO_TCP, option, value)


def _tcp_options() -> Iterator[tuple[int, int]]:
    """Yield those of the options that this system has."""
    for name, value in (
        ("TCP_KEEPIDLE", KEEPALIVE_AFTER),
        ("TCP_KEEPINTVL", KEEPALIVE_EACH),
        ("TCP_KEEPCNT", KEEPALIVE_PROBES),
        ("TCP_USER_TIMEOUT", int(USER_TIMEOUT * 1000)),
    ):
        option = getattr(socket, name, None)
        if option is not None:
            yield option, value
