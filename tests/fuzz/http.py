"""The web protocol as a client of bytes meets it: a real socket, uvicorn's parser, our clocks."""

from __future__ import annotations

import asyncio
import functools
import logging
import socket
from typing import Any

import h11
import uvicorn
from uvicorn import server as uvicorn_server

from celery_sentinel.web import connection_deadlines, limits

BOUNDS = limits.Limits(header_bytes=1024, connections=4)
# For a connection whose client has said all it will ever say; libFuzzer waits for 20 s.
SECONDS = 15.0


async def _answer(scope: Any, receive: Any, send: Any) -> None:
    """Read the body, as a route would, and answer."""
    assert scope["type"] == "http"
    message = await receive()
    while message["type"] == "http.request" and message.get("more_body"):
        message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"x"})


class _Complaints(logging.Handler):
    """Gathers the tracebacks that uvicorn logs.

    But not that h11 takes no response: it stands at fault where a client goes on talking on a
    connection that HTTP/1.0 has ended, and uvicorn hangs up.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, h11.LocalProtocolError):
            self.found.append(self.format(record))


class _Stand:
    """One event loop and one table of connections, for all inputs of a run."""

    def __init__(self) -> None:
        self.complaints = _Complaints()
        logger = logging.getLogger("uvicorn.error")
        logger.addHandler(self.complaints)
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda _, told: self.complaints.found.append(str(told)))
        self.connections = connection_deadlines.Connections(BOUNDS.connections)
        settings = uvicorn.Config(
            _answer,
            lifespan="off",
            interface="asgi3",
            access_log=False,
            log_config=None,
            h11_max_incomplete_event_size=BOUNDS.header_bytes,
        )
        settings.load()
        self.made = functools.partial(
            connection_deadlines.TimedProtocol,
            self.connections,
            BOUNDS,
            settings,
            uvicorn_server.ServerState(),
        )

    async def talk(self, data: bytes) -> bytes:
        """Send the bytes, hang up our half, and return what comes until the server hangs up."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        made = self.made({}, self.loop)
        await self.loop.connect_accepted_socket(lambda: made, theirs)
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            writer.write(data)
            writer.write_eof()
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


@functools.cache
def _stand() -> _Stand:
    return _Stand()


def check(data: bytes) -> None:
    """Any bytes are answered in HTTP or not at all, and leave no connection behind."""
    stand = _stand()
    answered = stand.loop.run_until_complete(asyncio.wait_for(stand.talk(data), SECONDS))
    stand.loop.run_until_complete(asyncio.sleep(0))
    assert answered == b"" or answered.startswith(b"HTTP/1.1 "), answered[:80]
    assert len(stand.connections) == 0, "a connection is left behind"
    assert stand.complaints.found == []
