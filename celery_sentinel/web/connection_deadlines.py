"""Puts a clock on every connection, because uvicorn waits for ever for a request to arrive."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any, Protocol

import h11
from uvicorn.protocols.http import h11_impl

if TYPE_CHECKING:
    import asyncio

    from uvicorn import config as uvicorn_config, server as uvicorn_server

    from celery_sentinel.web import limits

# In the state of a request: what ends its connection for a reason, where an answer cannot.
GIVE_UP = "celery_sentinel.give_up"


class Connection(Protocol):
    """What has a place: an HTTP connection, or a TLS handshake that will be one."""

    @property
    def peer(self) -> str:
        """The IP address of the client."""

    def drop(self, reason: str) -> None:
        """End the connection without waiting for anything."""


class Connections:
    """The open connections by what they are doing, in the order in which they began to.

    When all places are taken, a newcomer gets that of a connection which never delivered a
    request, else of the one which has been idle longest: a flood of silent clients displaces
    itself and not the scraper. Among the silent it is the oldest of the address that has most,
    so that a scraper elsewhere has the time to speak, however fast the flood.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._silent: dict[Connection, None] = {}
        self._idle: dict[Connection, None] = {}
        self._busy: dict[Connection, None] = {}
        self.dropped: collections.Counter[str] = collections.Counter()

    def __len__(self) -> int:
        return len(self._silent) + len(self._idle) + len(self._busy)

    def admit(self, newcomer: Connection) -> bool:
        """Enter a new connection; return False when every other one is being served."""
        if len(self) >= self._places:
            victim = self._oldest_of_the_many() or next(iter(self._idle), None)
            if victim is None:
                self.dropped["all_busy"] += 1
                return False
            victim.drop("displaced")
        self._silent[newcomer] = None
        return True

    def _oldest_of_the_many(self) -> Connection | None:
        counts = collections.Counter(connection.peer for connection in self._silent)
        if not counts:
            return None
        ((most, _),) = counts.most_common(1)
        return next(connection for connection in self._silent if connection.peer == most)

    def busy(self, connection: Connection) -> None:
        """Note that a whole request has arrived."""
        self.forget(connection)
        self._busy[connection] = None

    def idle(self, connection: Connection) -> None:
        """Note that a response is complete."""
        self.forget(connection)
        self._idle[connection] = None

    def leaving(self, connection: Connection) -> None:
        """Note that all is said and only the peer's farewell is owed."""
        self.forget(connection)
        self._silent[connection] = None

    def forget(self, connection: Connection) -> bool:
        """Strike a connection off; return False if it was off already."""
        groups = (self._silent, self._idle, self._busy)
        known = [group for group in groups if connection in group]
        for group in known:
            del group[connection]
        return bool(known)

    def abort_all(self) -> None:
        """End every connection at once."""
        for connection in (*self._silent, *self._idle, *self._busy):
            connection.drop("closing")


class TimedProtocol(h11_impl.H11Protocol):
    """HTTP/1.1 on one connection, with a deadline for whatever the peer owes.

    While a request is awaited ``_arrival`` runs: for all of it since it has ``_begun``, or for
    the first byte of the next. While a response is made and sent ``_reading`` runs from the
    first byte that the peer's system does not take.
    """

    def __init__(
        self,
        connections: Connections,
        bounds: limits.Limits,
        config: uvicorn_config.Config,
        server_state: uvicorn_server.ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, {**app_state, GIVE_UP: self.drop}, _loop)
        self._table = connections
        self._bounds = bounds
        self._begun = True
        self._arrival: asyncio.TimerHandle | None = None
        self._reading: asyncio.TimerHandle | None = None

    @property
    def peer(self) -> str:
        """The IP address of the client."""
        return self.client[0] if self.client else ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        """Start the clock for the first request, if there is a place for it."""
        super().connection_made(transport)
        self._tell_unsent(transport)
        if self._table.admit(self):
            self._await_arrival(self._bounds.request_seconds, "late_request")
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks and give the place back; one that leaves amid its answer is counted."""
        self._stop_clocks()
        if self._table.forget(self) and self.cycle and not self.cycle.response_complete:
            self._table.dropped["left_early"] += 1
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser in pieces, since it checks the size of headers only between them."""
        step = self._bounds.header_bytes // 4  # by so much headers may be larger than the bound
        for start in range(0, len(data), step):
            if self.transport.is_closing():
                return
            super().data_received(data[start : start + step])
        self._settle()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, in words as long as an answer may still be given.

        Behind a broken body the answer has begun already, and to HEAD there is none with a body:
        h11 raises then, and asyncio would log its traceback for whoever cares to send such bytes.
        """
        self._table.dropped["malformed"] += 1
        try:
            super().send_400_response(msg)
        except h11.LocalProtocolError:
            self._stop_clocks()
            self._table.forget(self)
            self.transport.abort()

    def on_response_complete(self) -> None:
        """Start the clock for the next request; a pipelined one may be there already."""
        super().on_response_complete()
        self._unset_keepalive_if_required()  # uvicorn's own clock, in place of which ours runs
        if not self.flow.write_paused:
            self._stop_reading()
        if self.transport.is_closing():
            return
        self._begun = False
        if self.cycle.response_complete:
            self._table.idle(self)
            self._await_arrival(self._bounds.idle_seconds, "idle")
        else:
            self._settle()

    def pause_writing(self) -> None:
        """Start the clock for a peer that does not read as fast as we write."""
        super().pause_writing()
        if self._reading is None:
            self._reading = self.loop.call_later(
                self._bounds.response_seconds, self.drop, "slow_reader"
            )

    def resume_writing(self) -> None:
        """Stop that clock only after the last byte, or a trickle would wind it up for ever."""
        super().resume_writing()
        if self.cycle is None or self.cycle.response_complete:
            self._stop_reading()

    def drop(self, reason: str) -> None:
        """End the connection without waiting for anything; what was not sent is lost."""
        self._table.dropped[reason] += 1
        self._stop_clocks()
        self._table.forget(self)
        self.transport.abort()

    def shutdown(self) -> None:
        """Finish the response under way, or close at once; uvicorn calls this when it stops."""
        if not self.transport.is_closing():
            super().shutdown()

    def _tell_unsent(self, transport: asyncio.Transport) -> None:
        """With no tolerance, pause and resume tell exactly when something is left unsent."""
        transport.set_write_buffer_limits(high=0)

    def _settle(self) -> None:
        """After bytes arrived, tell a request that is whole from one that is still owed."""
        if self.transport.is_closing():
            return
        if self.cycle and not self.cycle.response_complete and not self.cycle.more_body:
            self._stop_arrival()
            self._table.busy(self)
        elif not self._begun:
            self._begun = True
            self._await_arrival(self._bounds.request_seconds, "late_request")

    def _await_arrival(self, seconds: float, otherwise: str) -> None:
        self._stop_arrival()
        self._arrival = self.loop.call_later(seconds, self.drop, otherwise)

    def _stop_clocks(self) -> None:
        self._stop_arrival()
        self._stop_reading()

    def _stop_arrival(self) -> None:
        if self._arrival is not None:
            self._arrival.cancel()
            self._arrival = None

    def _stop_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
