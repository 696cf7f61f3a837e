"""Kills the servers a test session leaves behind, however the session ends.

The session holds the writing end of a pipe to this process and names its process groups
there. When the pipe closes, because the session ended, was interrupted or was killed, every
group that is still named is killed.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys


class Reaper:
    """The session's end of the pipe."""

    def __init__(self) -> None:
        # A session of its own: Ctrl-C in the terminal must not reach it.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def watch(self, group: int) -> None:
        """Have process group ``group`` killed when the session is gone."""
        self._tell(f"watch {group}")

    def forget(self, group: int) -> None:
        """Spare ``group``, which has ended: its number may be given to another."""
        self._tell(f"forget {group}")

    def _tell(self, line: str) -> None:
        pipe = self._process.stdin
        if pipe is None:
            raise RuntimeError("the reaper was started without a pipe")
        pipe.write(f"{line}\n".encode())
        pipe.flush()


@functools.cache
def session_reaper() -> Reaper:
    """Return the one reaper of this test session, started on first use."""
    return Reaper()


def main() -> None:
    """Follow the pipe to its end, then kill what is left."""
    groups: set[int] = set()
    for line in sys.stdin:
        verb, group = line.split()
        if verb == "watch":
            groups.add(int(group))
        else:
            groups.discard(int(group))
    for remaining in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(remaining, signal.SIGKILL)


if __name__ == "__main__":
    main()
