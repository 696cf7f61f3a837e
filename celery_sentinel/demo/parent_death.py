"""Ties a process to the one that started it, so that nothing outlives the demo.

``python -m celery_sentinel.demo.parent_death PARENT_PID COMMAND...`` becomes COMMAND, which the
kernel kills when the parent dies for whatever reason, SIGKILL included. A wrapper rather than
``preexec_fn``, which may deadlock in a process with threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
GONE = 1
NOT_FOUND = 127  # as shells say it


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends; exit if it already did.

    The wish survives ``exec`` but not ``fork``. Systems other than Linux have no such call;
    there the demo still stops all its parts when it is stopped in any way but SIGKILL.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the kernel knew the wish
        os._exit(GONE)


def main(arguments: list[str]) -> int:
    """Become ``arguments[1:]``; return only when that fails, with an exit code."""
    command = arguments[1:]
    die_with_parent(int(arguments[0]))
    try:
        os.execvp(command[0], command)  # noqa: S606 - the demo's own commands, no shell wanted
    except OSError as error:
        sys.stderr.write(f"cannot start {command[0]}: {error.strerror}\n")
        return NOT_FOUND


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
