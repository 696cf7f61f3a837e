"""A way to Redis on which chosen event messages disappear, and nothing else does."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import threading
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK = 65536
_PUSHED = b"pmessage"


class Thief:
    """Forwards connections to a Redis server; takes the messages of which ``steals`` says so.

    ``steals`` is called with the events of each message that a subscriber is sent. ``stolen``
    are the events taken. The way back, from the client to the server, is not looked at.
    """

    def __init__(self, port: int, steals: Callable[[list[dict[str, Any]]], bool]) -> None:
        self.stolen: list[dict[str, Any]] = []
        self._target = ("127.0.0.1", port)
        self._steals = steals
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listener]
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """The Redis URL that leads through here."""
        return f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                self._open += [client, server]
                threading.Thread(target=_copy, args=(client, server), daemon=True).start()
                threading.Thread(target=self._sift, args=(server, client), daemon=True).start()

    def _sift(self, server: socket.socket, client: socket.socket) -> None:
        buffer = b""
        with contextlib.suppress(OSError):
            while data := server.recv(CHUNK):
                buffer += data
                kept = b""
                while (end := _frame_end(buffer, 0)) is not None:
                    if not self._takes(buffer[:end]):
                        kept += buffer[:end]
                    buffer = buffer[end:]
                if kept:
                    client.sendall(kept)
            client.shutdown(socket.SHUT_RDWR)

    def _takes(self, frame: bytes) -> bool:
        if _PUSHED not in frame[:32]:
            return False
        envelope = json.loads(frame[frame.index(b"{") : frame.rindex(b"}") + 1])
        found = json.loads(base64.b64decode(envelope["body"]))
        events = found if isinstance(found, list) else [found]
        with self._lock:
            taken = self._steals(events)
            if taken:
                self.stolen += events
        return taken


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK):
            target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)


def _frame_end(data: bytes, start: int) -> int | None:
    """Return where the RESP2 value that begins at ``start`` ends; None if it is not all there."""
    line_end = data.find(b"\r\n", start)
    if line_end < 0:
        return None
    kind, after = data[start : start + 1], line_end + 2
    if kind not in b"$*":
        return after
    size = int(data[start + 1 : line_end])
    if kind == b"$":
        end = after if size < 0 else after + size + 2
        return end if end <= len(data) else None
    for _ in range(max(0, size)):
        found = _frame_end(data, after)
        if found is None:
            return None
        after = found
    return after
