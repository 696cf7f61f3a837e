"""A child process with all its descendants: signalled as a group, never left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers import deadline, reaper

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SIGNAL_SECONDS = 60.0


class Process:
    """A running command whose output goes to ``log`` (and ``stdout``, when that is given)."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        log: Path,
        stdout: Path | None = None,
    ) -> None:
        self._log = log
        self._log_start = log.stat().st_size if log.exists() else 0
        with log.open("ab") as errors, (stdout or log).open("ab") as output:
            self._popen = subprocess.Popen(
                argv,
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
        reaper.session_reaper().watch(self.pid)

    @property
    def pid(self) -> int:
        """The process id, which is also that of the group."""
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, minus the signal's number for a death by signal; None while alive."""
        return self._popen.poll()

    def log_text(self) -> str:
        """Return what this process has logged so far."""
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def wait(self, timeout: float) -> int:
        """Wait for the process to end, at most ``timeout`` seconds; return its exit code."""
        code = self._popen.wait(timeout)
        self._bury()
        return code

    def terminate(self, timeout: float) -> int:
        """Ask the process (not its children) to end, wait, and return its exit code."""
        self.resume()
        self._popen.terminate()
        return self.wait(timeout)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process, not to its children."""
        self._popen.send_signal(number)

    def kill(self) -> None:
        """Kill the whole group."""
        self._signal_group(signal.SIGKILL)
        self.wait(_SIGNAL_SECONDS)

    def pause(self) -> None:
        """Freeze the whole group; returns when it stands still."""
        self._signal_group(signal.SIGSTOP)
        deadline.wait_until(
            lambda: set(group_states(self.pid).values()) <= {"T"},
            _SIGNAL_SECONDS,
            f"process group {self.pid} stands still",
        )

    def resume(self) -> None:
        """Let a paused group go on."""
        self._signal_group(signal.SIGCONT)

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def _bury(self) -> None:
        # Children may have outlived their parent, and a killed process needs a moment to go.
        self._signal_group(signal.SIGKILL)
        deadline.wait_until(
            lambda: not group_states(self.pid), _SIGNAL_SECONDS, f"process group {self.pid} ended"
        )
        reaper.session_reaper().forget(self.pid)


def group_states(group: int) -> dict[int, str]:
    """Return the state letter of each living process in ``group`` by pid, from /proc."""
    states = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        # The process may end while we look.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            # The name in parentheses may contain anything; what follows it may not.
            state, _parent, member_of, *_ = stat.read_text().rpartition(")")[2].split()
            if int(member_of) == group and state not in "ZX":
                states[int(stat.parent.name)] = state
    return states
