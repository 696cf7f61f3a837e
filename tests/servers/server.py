"""What every server under test can do: start, stop, be killed, frozen and restarted."""

from __future__ import annotations

import abc
import re
import shutil
from typing import TYPE_CHECKING, Self

from tests.servers import deadline, process

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_PORT_TAKEN = re.compile(r"address already in use|eaddrinuse|in use by another", re.IGNORECASE)
_START_ATTEMPTS = 5


class ServerError(Exception):
    """A server is missing, did not start, or is not in the state a test needs."""


class Server(abc.ABC):
    """One server process in a directory of its own; also a context manager."""

    start_seconds = 90.0
    stop_seconds = 60.0

    def __init__(self, directory: Path, name: str) -> None:
        self.directory = directory
        self.name = name
        self.log = directory / f"{name}.log"
        self._process: process.Process | None = None
        self._started_once = False

    @abc.abstractmethod
    def _launch(self) -> process.Process:
        """Start the process; do not wait for it."""

    @abc.abstractmethod
    def _answers(self) -> bool:
        """Tell whether the server is ready for clients."""

    def _choose_ports(self) -> None:  # noqa: B027 - a worker has no ports
        """Choose ports; called before the first start, and again when one was taken."""

    @property
    def process(self) -> process.Process:
        """The process of the latest start."""
        if self._process is None:
            raise ServerError(f"{self.name} was never started")
        return self._process

    @property
    def pid(self) -> int:
        """The id of the main process."""
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether the process exists, paused or not."""
        return self._process is not None and self._process.returncode is None

    @property
    def returncode(self) -> int | None:
        """The exit code of the latest start; None while it runs."""
        return self.process.returncode

    def start(self) -> Self:
        """Start and wait until the server answers; a failure shows its log."""
        if self.running:
            raise ServerError(f"{self.name} runs already (pid {self.pid})")
        for _ in range(_START_ATTEMPTS):
            if not self._started_once:
                self._choose_ports()
            self._process = self._launch()
            if self._wait_ready():
                self._started_once = True
                return self
        raise ServerError(f"{self.name} found no free port{self._epitaph()}")

    def stop(self) -> int:
        """Ask the server to end, wait for it, and return its exit code."""
        return self.process.terminate(self.stop_seconds)

    def kill(self) -> None:
        """Kill the server and all its children at once, as a power failure would."""
        self.process.kill()

    def pause(self) -> None:
        """Freeze the server: connections stay open and nothing answers."""
        self.process.pause()

    def resume(self) -> None:
        """Let a paused server go on."""
        self.process.resume()

    def restart(self) -> Self:
        """Stop, if it runs, and start again on the same port."""
        if self.running:
            self.stop()
        return self.start()

    def close(self) -> None:
        """Kill what runs and print the end of the log, which pytest shows for a failed test."""
        if self.running:
            self.kill()
        if self._process is not None:
            print(f"--- {self.name} ---\n{self.log_tail()}")  # noqa: T201 - for pytest's report

    def log_tail(self, lines: int = 40) -> str:
        """Return the last lines of the log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _wait_ready(self) -> bool:
        """Wait for an answer; False is a taken port, on which another attempt may follow."""
        try:
            deadline.wait_until(
                lambda: self.process.returncode is not None or self._answers(),
                self.start_seconds,
                f"{self.name} answers",
            )
        except TimeoutError as error:
            self.kill()
            raise ServerError(f"{error}{self._epitaph()}") from None
        if self.process.returncode is None:
            return True
        self.process.wait(0)
        if _PORT_TAKEN.search(self.process.log_text()) and not self._started_once:
            return False
        raise ServerError(
            f"{self.name} ended at the start with exit code {self.returncode}{self._epitaph()}"
        )

    def _epitaph(self) -> str:
        return f"; its log ends:\n{self.log_tail()}"


class Broker(Server):
    """A server that Celery can use."""

    @property
    @abc.abstractmethod
    def url(self) -> str:
        """The broker URL, credentials included; a restart does not change it."""


def find_binary(name: str, *, package: str) -> str:
    """Return the path of a program, or say which system package brings it."""
    path = shutil.which(name)
    if path is None:
        raise ServerError(
            f"{name} is not installed; run `make servers`, or as root: apt-get install {package}"
        )
    return path
