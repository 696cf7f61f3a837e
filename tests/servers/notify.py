"""The receiving end of sd_notify: a datagram socket, as systemd opens one for each service."""

from __future__ import annotations

import contextlib
import pathlib
import socket
import time
import uuid
from typing import TYPE_CHECKING, Self

from tests.servers import deadline

if TYPE_CHECKING:
    from types import TracebackType

Message = dict[str, str]
_MAX_BYTES = 64 * 1024


class Supervisor:
    """Listens at ``address``, a path in ``directory`` or, without one, an abstract name.

    ``messages`` are all that came, in order, each with the monotonic time of its reading.
    """

    def __init__(self, directory: pathlib.Path | None = None) -> None:
        self.messages: list[tuple[float, Message]] = []
        name = f"celery-sentinel-{uuid.uuid4().hex}"
        self.address = f"@{name}" if directory is None else str(directory / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{name}" if directory is None else self.address)
        self._socket.setblocking(False)
        if directory is not None:  # as systemd's: whoever runs the service may write
            pathlib.Path(self.address).chmod(0o777)

    def read(self) -> list[Message]:
        """Take in what has come, and return all messages so far."""
        with contextlib.suppress(BlockingIOError):
            while True:
                datagram = self._socket.recv(_MAX_BYTES).decode()
                fields = dict(line.split("=", 1) for line in datagram.splitlines())
                self.messages.append((time.monotonic(), fields))
        return [fields for _, fields in self.messages]

    def wait_for(self, key: str, value: str = "", *, after: int = 0, seconds: float = 90) -> int:
        """Wait until an assignment of ``key`` begins with ``value``; return its index.

        Messages before the index ``after`` do not count.
        """

        def found() -> int | None:
            for index, fields in enumerate(self.read()):
                if index >= after and key in fields and fields[key].startswith(value):
                    return index + 1
            return None

        return deadline.wait_until(found, seconds, f"{key}={value}") - 1  # type: ignore[operator]

    def keys(self) -> list[str]:
        """Return the first key of each message so far, without those of STATUS and WATCHDOG."""
        firsts = [next(iter(fields)) for fields in self.read()]
        return [key for key in firsts if key not in ("STATUS", "WATCHDOG")]

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()
        if not self.address.startswith("@"):
            pathlib.Path(self.address).unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
