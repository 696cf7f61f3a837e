"""A relay between a client and a server that can be cut, so that only this client is away."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from tests.servers import ports

if TYPE_CHECKING:
    from collections.abc import Coroutine

# What hears both sides of one connection: what the client says, and what the server does.
Ears = tuple[Callable[[bytes], None], Callable[[bytes], None]]

_CHUNK = 65536
_SECONDS = 60.0


class Relay:
    """Passes bytes between ``url`` and the server of another URL; also a context manager.

    A server that is away is a connection that closes at once. ``listen`` is called for each
    connection and hears what passes, before it is passed on. ``idle`` is the seconds after which
    a connection is closed on which nothing has passed.
    """

    def __init__(
        self,
        server_url: str,
        *,
        listen: Callable[[], Ears] | None = None,
        idle: float | None = None,
    ) -> None:
        parts = urlsplit(server_url)
        if parts.port is None:
            raise ValueError(f"{server_url} names no port")
        self._server_port = parts.port
        self._port = ports.free_port()
        self.url = server_url.replace(f":{parts.port}/", f":{self._port}/", 1)
        self._ears = listen or _deaf
        self._idle = idle
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)
        self._listener: asyncio.Server | None = None
        self._connections: set[asyncio.Task[Any]] = set()

    def cut(self) -> None:
        """Close every connection and refuse new ones."""
        self._do(self._cut())

    def mend(self) -> None:
        """Let connections in again, on the same port."""
        self._do(self._listen())

    def __enter__(self) -> Self:
        self._thread.start()
        self.mend()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_SECONDS)
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_SECONDS)

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._relay, "127.0.0.1", self._port)

    async def _cut(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for connection in self._connections:
            connection.cancel()
        if self._connections:
            await asyncio.wait(set(self._connections))

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        if connection is None:
            raise RuntimeError("a connection is served by a task")
        self._connections.add(connection)
        said, answered = self._ears()
        passed = _Passed()
        try:
            with contextlib.suppress(OSError):
                there, back = await asyncio.open_connection("127.0.0.1", self._server_port)
                try:
                    await _until_one_ends(
                        _pump(reader, back, said, passed),
                        _pump(there, writer, answered, passed),
                        *([] if self._idle is None else [passed.nothing_for(self._idle)]),
                    )
                finally:
                    back.transport.abort()
        except asyncio.CancelledError:
            pass  # we are cut
        finally:
            writer.transport.abort()
            self._connections.discard(connection)


class _Passed:
    """When something passed for the last time, either way (time of the loop)."""

    def __init__(self) -> None:
        self._at = 0.0
        self.note()

    def note(self) -> None:
        self._at = asyncio.get_running_loop().time()

    async def nothing_for(self, seconds: float) -> None:
        """Return when nothing has passed for so long."""
        left = seconds
        while left > 0:
            await asyncio.sleep(left)
            left = self._at + seconds - asyncio.get_running_loop().time()


def _deaf() -> Ears:
    return (lambda _: None), (lambda _: None)


async def _until_one_ends(*pumps: Coroutine[Any, Any, None]) -> None:
    both = {asyncio.ensure_future(pump) for pump in pumps}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pump in both:
            pump.cancel()


async def _pump(
    source: asyncio.StreamReader,
    sink: asyncio.StreamWriter,
    hear: Callable[[bytes], None],
    passed: _Passed,
) -> None:
    with contextlib.suppress(OSError):
        while chunk := await source.read(_CHUNK):
            passed.note()
            hear(chunk)
            sink.write(chunk)
            await sink.drain()
