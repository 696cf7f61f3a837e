"""TLS on a connection: the handshake takes a place and has a deadline, as a request has.

asyncio's own TLS server tells of a connection only after its handshake: a thousand clients that
never finish one would be seen by no bound. Hence its protocol is put in by hand.
"""

from __future__ import annotations

import asyncio
from asyncio import sslproto
from typing import TYPE_CHECKING, Any, cast

from celery_sentinel import webconfig
from celery_sentinel.web import connection_deadlines

if TYPE_CHECKING:
    import ssl

    from celery_sentinel.web import limits

_NEVER = 1 << 40  # bytes; the layer below tells when something is left unsent
# The kinds of names in a certificate that the toolkit compares, as Python calls them.
_KINDS = {"DNS", "IP Address", "email", "URI"}


def accept(
    loaded: webconfig.Loaded,
    connections: connection_deadlines.Connections,
    bounds: limits.Limits,
    **uvicorn: Any,
) -> asyncio.BaseProtocol:
    """Return the protocol of a new connection under the web config that holds now."""
    if loaded.context is None:
        return connection_deadlines.TimedProtocol(connections, bounds, **uvicorn)
    inner = SecuredProtocol(connections, bounds, **uvicorn)
    inner.allowed_sans = loaded.allowed_sans
    inner.handshake = Handshake(inner, loaded.context, connections, bounds)
    return inner.handshake


class Handshake(sslproto.SSLProtocol):
    """Encrypts what lies above it, once the peer has finished its handshake."""

    # Of the buffer that every connection has; the default of 256 KiB is paid for by 256 of them.
    max_size = 16 * 1024

    def __init__(
        self,
        inner: SecuredProtocol,
        context: ssl.SSLContext,
        connections: connection_deadlines.Connections,
        bounds: limits.Limits,
    ) -> None:
        self._inner: SecuredProtocol | None = inner
        self._table = connections
        self._finished = self._paused = False
        self.peer = ""
        super().__init__(
            asyncio.get_running_loop(),
            inner,
            context,
            cast("Any", None),  # nobody waits for the handshake
            server_side=True,
            ssl_handshake_timeout=cast("int", bounds.handshake_seconds),
            ssl_shutdown_timeout=cast("int", bounds.response_seconds),
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake, if there is a place for it."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - narrows a type
        # With no tolerance, pause and resume tell exactly when something is left unsent.
        transport.set_write_buffer_limits(high=0)
        self._raw = transport
        self.peer = str((transport.get_extra_info("peername") or ("",))[0])
        if self._table.admit(self):
            super().connection_made(transport)
        else:
            transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give the place back; an unfinished handshake is counted."""
        if not self._finished:
            if self._table.forget(self):
                late = isinstance(exc, ConnectionAbortedError)
                self._table.dropped["late_handshake" if late else "failed_handshake"] += 1
            self._finished = True
        super().connection_lost(exc)
        # An SSL object is large, and a flood makes many before the collector finds a cycle.
        if self._inner is not None:
            del self._inner.handshake
            self._inner = None

    def finished(self) -> None:
        """Hand the place over to the protocol above."""
        self._finished = True
        self._table.forget(self)

    def drop(self, reason: str) -> None:
        """End the connection in the middle of its handshake."""
        self._table.dropped[reason] += 1
        self._table.forget(self)
        self._raw.abort()

    def pause_writing(self) -> None:
        """Tell the protocol above that the peer does not read as fast as it writes."""
        super().pause_writing()
        self._paused = True
        if self._finished and self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Send what has been encrypted meanwhile, and go on if that has left."""
        self._paused = False
        super().resume_writing()  # may pause again
        if self._finished and not self._paused and self._inner is not None:
            self._inner.resume_writing()


class SecuredProtocol(connection_deadlines.TimedProtocol):
    """HTTP/1.1 above TLS."""

    handshake: Handshake
    allowed_sans: frozenset[str] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        """Take over the place of the handshake; a client that may not come in is dropped."""
        self.handshake.finished()
        super().connection_made(transport)
        if self.allowed_sans is not None and not self.allowed_sans & _names_of(transport):
            self.drop("client_not_allowed")

    def on_response_complete(self) -> None:
        """Leave the place to others while the peer owes its farewell."""
        super().on_response_complete()
        if self.transport.is_closing() and not self.flow.write_paused:
            self._table.leaving(self)

    def _tell_unsent(self, transport: asyncio.Transport) -> None:
        # What waits above the socket is told by the layer below, which knows of both.
        transport.set_write_buffer_limits(high=_NEVER)


def _names_of(transport: asyncio.Transport) -> set[str]:
    """Return the alternative names in the client's certificate."""
    certificate = transport.get_extra_info("peercert") or {}
    return {
        webconfig.canonical(name)
        for kind, name in certificate.get("subjectAltName", ())
        if kind in _KINDS
    }
