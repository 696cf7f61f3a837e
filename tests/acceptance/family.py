"""A command with all the processes it starts, which are known by their working directory."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers import deadline, process

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

START_SECONDS = 120.0
STOP_SECONDS = 90.0
PROMPT = "Ctrl-C stops everything."


class Family:
    """A running command that works, and has its parts work, in a directory of its own."""

    def __init__(
        self, directory: Path, argv: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        self._directory = directory
        self._stdout = directory / "stdout"
        self.temporary = directory / "tmp"
        self.temporary.mkdir()
        self.process = process.Process(
            argv,
            env={**os.environ, "TMPDIR": str(self.temporary), **environment},
            cwd=directory,
            log=directory / "stderr",
            stdout=self._stdout,
        )

    @property
    def stdout(self) -> str:
        """All that it has printed."""
        return self._stdout.read_text()

    @property
    def stderr(self) -> str:
        """All that it has complained of, with what it passes on of its parts."""
        return self.process.log_text()

    def wait_for_prompt(self) -> None:
        """Wait until all is started, or it has ended."""
        deadline.wait_until(
            lambda: PROMPT in self.stdout or self.process.returncode,
            START_SECONDS,
            f"{PROMPT} is printed",
        )

    def members(self) -> dict[int, str]:
        """Return the command line of each of its processes by pid."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            # The process may end while we look; one that we may not look at is not ours.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                if (entry / "cwd").readlink().is_relative_to(self._directory):
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found[int(entry.name)] = command
        return found

    def member(self, part: str) -> int:
        """Return the process whose command line contains ``part``, not one of its children."""
        found = [pid for pid, command in self.members().items() if part in command]
        return min(pid for pid in found if os.getsid(pid) == pid)

    def wait_for_the_end(self) -> int:
        """Wait until it ended and nothing of it is left; return its exit code."""
        # Not process.wait, which would kill what it left behind.
        deadline.wait_until(
            lambda: self.process.returncode is not None, STOP_SECONDS, "the command ends"
        )
        # What stays behind stays for good; what has been killed needs the processor to go.
        deadline.wait_until(lambda: not self.members(), 60, f"nothing is left: {self.members()}")
        code = self.process.returncode
        assert code is not None
        return code

    def close(self) -> None:
        """Kill all that is left, whoever failed to stop it."""
        self.process.kill()
        for pid in self.members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
