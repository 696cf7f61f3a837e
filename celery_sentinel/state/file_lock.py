"""One daemon at a time has a state file: two would restore the same and overwrite each other.

The claim is a lock of the system on a file beside the state file. It ends with the process, however
that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import time

from celery_sentinel.state import file as state_file

_PAUSE = 0.1  # seconds between two attempts
_MOST_SAID = 200  # bytes that are read of who has it
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class TakenError(state_file.StateError):
    """Another process has the state file."""


class FileLock:
    """The claim to the state file at ``path``, which is no link."""

    def __init__(self, path: pathlib.Path) -> None:
        self._file = pathlib.Path(f"{path}.lock")
        self._descriptor: int | None = None

    def take(self, *, patience: float = 0.0) -> None:
        """Take the file, or raise TakenError if another has it for ``patience`` seconds.

        Where no lock can be had (no directory, no right to write, a file system without locks)
        nothing is claimed and nothing raised: what is wrong there, writing will tell.
        """
        until = time.monotonic() + patience
        while self._descriptor is None:
            try:
                self._descriptor = self._locked()
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise TakenError(f"is in use by another celery-sentinel{self._who()}") from None
                time.sleep(_PAUSE)
            except (OSError, ValueError):
                return

    def give_up(self) -> None:
        """Leave the file to others."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                self._file.unlink()
            os.close(self._descriptor)
            self._descriptor = None

    def _locked(self) -> int | None:
        """Return the locked file; raise BlockingIOError while another has it.

        None if who had it has removed it between our two steps: then it is a lock on nothing.
        """
        descriptor = os.open(self._file, _FLAGS, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            current = self._is(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        if not current:
            os.close(descriptor)
            return None
        with contextlib.suppress(OSError):  # a full disk: the lock holds without it
            os.truncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()} {os.uname().nodename}".encode())
        return descriptor

    def _is(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self._file.stat())
        except FileNotFoundError:
            return False

    def _who(self) -> str:
        with contextlib.suppress(OSError, ValueError):
            with self._file.open("rb") as file:
                pid, _, host = file.read(_MOST_SAID).decode().partition(" ")
            if pid.isdigit() and host.isprintable():
                return f", process {pid} on {host}"
        return ""
