"""Makes and sends expositions so that many scrapers cost hardly more than one."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from concurrent import futures
from typing import TYPE_CHECKING

from starlette import responses, types

from celery_sentinel.web import connection_deadlines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from celery_sentinel.web import negotiation, sources

# The fastest level: on an exposition it takes a third of the time of level 6 for 1.2 times
# the bytes, and a scrape crosses a local network.
_GZIP_LEVEL = 1

# The largest piece of a response that waits in the memory of one slow connection.
_CHUNK_BYTES = 256 * 1024

_BODIES_AT_LEAST = 2  # however long they are: two scrapers are usual


class SharedRenderer:
    """Renders one exposition at a time; scrapes that ask for the same meanwhile share it."""

    def __init__(self, source: sources.MetricsSource) -> None:
        self._source = source
        self._thread = futures.ThreadPoolExecutor(1, thread_name_prefix="web-render")
        self._flights: dict[tuple[bool, bool, bool], asyncio.Future[bytes]] = {}

    async def body(self, chosen: negotiation.Format, *, compressed: bool, unheld: bool) -> bytes:
        """Return the exposition; whatever the source raises comes out here."""
        key = (chosen.openmetrics, compressed, unheld)
        if key not in self._flights:
            loop = asyncio.get_running_loop()
            flight = loop.run_in_executor(self._thread, self._render_anew, *key)
            self._flights[key] = flight
            flight.add_done_callback(lambda _: self._flights.pop(key))
        # A scraper that goes away must not take the others' response with it.
        return await asyncio.shield(self._flights[key])

    def close(self) -> None:
        """Take no more orders; a rendering under way ends by itself."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _render_anew(self, openmetrics: bool, compressed: bool, unheld: bool) -> bytes:
        body = self._source.render(openmetrics=openmetrics, unheld=unheld)
        return gzip.compress(body, _GZIP_LEVEL, mtime=0) if compressed else body


class Readers:
    """The responses being sent; when there are too many, the slowest makes room.

    So it does when all bodies together, those that several share counted once, are longer than
    ``room`` bytes and there are more than two.
    """

    def __init__(self, places: int, room: int) -> None:
        self._places = places
        self._room = room
        self._sending: dict[Callable[[str], None], bytes] = {}

    @contextlib.contextmanager
    def place(self, body: bytes, give_up: Callable[[str], None]) -> Iterator[None]:
        """Hold a place while sending; who has held one longest may be given up for a newer scrape.

        ``give_up`` ends the connection, with what it has not read, for a reason.
        """
        while len(self._sending) >= self._places or self._is_full(body):
            slowest = next(iter(self._sending))
            del self._sending[slowest]
            slowest("slow_reader")
        self._sending[give_up] = body
        try:
            yield
        finally:
            self._sending.pop(give_up, None)

    def _is_full(self, newcomer: bytes) -> bool:
        bodies = {id(body): len(body) for body in (*self._sending.values(), newcomer)}
        return len(bodies) > _BODIES_AT_LEAST and sum(bodies.values()) > self._room


class ExpositionResponse(responses.Response):
    """A body sent in pieces: what a slow peer has not read is kept once, not once a peer."""

    def __init__(self, body: bytes, readers: Readers, headers: dict[str, str]) -> None:
        super().__init__(body, headers=headers)
        self._content = body
        self._readers = readers

    async def __call__(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        """Send the head, then piece after piece as fast as the peer reads."""
        del receive
        with self._readers.place(self._content, scope["state"][connection_deadlines.GIVE_UP]):
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            if scope["method"] != "HEAD":
                for start in range(0, len(self._content), _CHUNK_BYTES):
                    piece = self._content[start : start + _CHUNK_BYTES]
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                    # Or a peer that has reset would be written to up to the end: asyncio tells
                    # of its loss only between two turns of the loop, and logs each such write.
                    await asyncio.sleep(0)
            # This waits until the last piece has left, so that the place is held until then.
            await send({"type": "http.response.body", "body": b"", "more_body": False})
