"""A TCP proxy in front of a server that can do to established connections what networks do."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from typing import Self
from urllib.parse import urlsplit

_CHUNK = 64 * 1024
_RESET = struct.pack("ii", 1, 0)  # linger for no time: close() sends RST


class Proxy:
    """Listens on a loopback port of its own and connects each client to ``port``.

    ``delay`` is the seconds each piece of data is held; ``refuse`` closes new connections.
    Everything else concerns the connections there are: later ones pass.
    """

    def __init__(self, port: int) -> None:
        self.delay = 0.0
        self.refuse = False
        self._target = port
        self._links: list[_Link] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, url: str) -> str:
        """Return a URL of the server as one of the proxy."""
        return url.replace(f":{urlsplit(url).port}", f":{self.port}", 1)

    def black_hole(self) -> int:
        """Let nothing through any more, no FIN and no RST either; return how many were hit."""
        return sum(link.swallow() for link in self._links)

    def stall(self, after: int) -> None:
        """Let so many more bytes through to each client, and then nothing."""
        for link in self._links:
            link.allowance = after

    def inject(self, data: bytes, *, where: bytes) -> None:
        """Say something to the server for the clients that have said ``where``."""
        for link in self._links:
            link.inject(data, where=where)

    def reset(self) -> None:
        """Answer both sides with RST."""
        for link in self._links:
            link.close(reset=True)

    def close(self) -> None:
        """Close everything."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for link in self._links:
            link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    if self.refuse:
                        raise ConnectionRefusedError
                    server = socket.create_connection(("127.0.0.1", self._target))
                except OSError:
                    client.close()
                else:
                    self._links.append(_Link(self, client, server))


class _Link:
    """One client and its connection to the server."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self.allowance: int | None = None
        self._proxy = proxy
        self._swallowing = self._closed = False
        self._said = b""
        self._ends = client, server
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def swallow(self) -> bool:
        """Drop what comes from now on; tell whether the connection stood."""
        self._swallowing = True
        return not self._closed

    def inject(self, data: bytes, *, where: bytes) -> None:
        """Say something to the server if the client has said ``where``."""
        if where in self._said and not self._closed:
            self._ends[1].sendall(data)

    def close(self, *, reset: bool = False) -> None:
        """Close both ends."""
        self._closed = True
        for end in self._ends:
            with contextlib.suppress(OSError):
                if reset:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                else:
                    end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                time.sleep(self._proxy.delay)
                if source is self._ends[0] and len(self._said) < _CHUNK:
                    self._said += data
                if sink is self._ends[0] and self.allowance is not None:
                    data = data[: self.allowance]
                    self.allowance -= len(data)
                if not self._swallowing:
                    sink.sendall(data)
        if not self._swallowing:
            self.close()
