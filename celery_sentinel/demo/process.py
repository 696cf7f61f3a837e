"""One process of the demo, with its log file and its orderly end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

Kind = Literal["broker", "daemon", "monitor", "worker", "load"]

LOG_BYTES = 4 * 1024 * 1024
TAIL_LINES = 12
TICK = 0.05


class DemoProcess:
    """A subprocess in a session of its own, so that Ctrl-C in a terminal reaches only the demo.

    Its standard output and error go to ``<directory>/<name>.log``.
    """

    def __init__(
        self,
        kind: Kind,
        name: str,
        command: Sequence[str],
        *,
        directory: Path,
        environment: Mapping[str, str],
    ) -> None:
        self.kind = kind
        self.name = name
        self.log = directory / f"{name}.log"
        self._read = 0
        self._leaving = False
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the demo's own commands
                [
                    sys.executable,
                    "-m",
                    "celery_sentinel.demo.parent_death",
                    str(os.getpid()),
                    *command,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=directory,
                env=dict(environment),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id, which is also that of its session and group."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code, negative for a signal; None while the process runs."""
        return self._process.poll()

    @property
    def gone(self) -> bool:
        """Whether the process ended as it was asked to."""
        return self._leaving and self.exit_code is not None

    @property
    def died(self) -> bool:
        """Whether the process ended though nobody asked it to."""
        return not self._leaving and self.exit_code is not None

    def terminate(self) -> None:
        """Ask the process to end in its own time."""
        self._leaving = True
        self._process.terminate()

    def kill(self) -> None:
        """End the process and whatever it started, now; nothing happens when all are gone."""
        self._leaving = True
        with contextlib.suppress(ProcessLookupError):  # raised when nobody of its group is left
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def new_lines(self) -> list[str]:
        """Return the complete lines logged since the last call."""
        with self.log.open("rb") as log:
            log.seek(self._read)
            whole, newline, _ = log.read().rpartition(b"\n")
        self._read += len(whole) + len(newline)
        return whole.decode(errors="replace").splitlines()

    def trim_log(self) -> None:
        """Empty a log that has grown large: a demo may run for days on a small disk."""
        if self.log.stat().st_size > LOG_BYTES:
            os.truncate(self.log, 0)
            self._read = 0

    def text(self) -> str:
        """Return all that is in the log."""
        return self.log.read_text(errors="replace")

    def tail(self) -> str:
        """Return the last lines of the log, indented."""
        lines = self.text().splitlines()[-TAIL_LINES:]
        return "\n".join(f"  {line}" for line in lines) or "  (it logged nothing)"


def stop_together(parts: Sequence[DemoProcess], *, grace: float, hurry: Callable[[], bool]) -> None:
    """Ask all parts to end and wait ``grace`` seconds, less in a hurry; kill what is left."""
    for part in parts:
        part.terminate()
    deadline = time.monotonic() + grace
    while any(part.exit_code is None for part in parts):
        if hurry() or time.monotonic() > deadline:
            break
        time.sleep(TICK)
    for part in parts:
        part.kill()
