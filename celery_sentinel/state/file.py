"""The file: written at once or not at all, believed only if every byte is as it was written."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import stat
import struct
import tempfile
import time
from typing import IO, TYPE_CHECKING

from celery_sentinel import errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SET_ASIDE = 3  # files that are kept
LARGEST_FRAME = 64 * 1024 * 1024
_FOR_TABLES = 256 * 1024 * 1024  # bytes; what limits of labels and workers allow, many times
_PER_RECORD = 512  # bytes; most take 90
_BLOCK = 1024 * 1024
_LENGTH = struct.Struct(">I")
_HEADER = struct.Struct(">8sIQ32s")  # magic, version, length and SHA-256 of what follows
_MISSING = FileNotFoundError


class StateError(errors.SentinelError):
    """A state file cannot be used, or cannot be written."""


class Store:
    """Frames of bytes in one file, which is replaced as a whole.

    ``magic`` and ``version`` say what the frames are. Nothing larger than ``largest`` bytes is
    read or written. With ``durable`` a file that was written survives a power failure.
    """

    def __init__(
        self, path: str, *, magic: bytes, version: int, largest: int, durable: bool = True
    ) -> None:
        # A link is followed: what it points to is replaced, not the link.
        self.path = pathlib.Path(os.path.realpath(path))
        self._magic = magic
        self._version = version
        self._largest = largest
        self._durable = durable

    # --- reading --------------------------------------------------------------------------

    def read(self) -> Iterator[bytes] | None:
        """Return the frames, read as they are asked for; None where there is no file.

        The whole file has been checked by then. Raise StateError for one that is not as it was
        written.
        """
        try:
            file = self._open()
        except _MISSING:
            return None
        except (OSError, ValueError) as error:
            raise StateError(f"cannot be read: {_reason(error)}") from error
        try:
            self._check(file)
        except BaseException:
            file.close()
            raise
        return _frames(file)

    def _open(self) -> IO[bytes]:
        # Without O_NONBLOCK a pipe in the file's place would be waited for.
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        file = os.fdopen(descriptor, "rb")
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            file.close()
            raise StateError("is no regular file")
        return file

    def _check(self, file: IO[bytes]) -> None:
        """Read it once, and leave it open at its first frame."""
        try:
            size = os.fstat(file.fileno()).st_size
            if size > self._largest:
                raise StateError(f"has {size} bytes, which is more than {self._largest}")
            header = file.read(_HEADER.size)
            if len(header) < _HEADER.size:
                raise StateError("is truncated: it has no whole header")
            magic, version, length, digest = _HEADER.unpack(header)
            if magic != self._magic:
                raise StateError("is no state file of celery-sentinel")
            if version != self._version:
                raise StateError(
                    f"has version {version} of the format, this program reads {self._version}"
                )
            if length != size - _HEADER.size:
                raise StateError(f"is truncated: {size - _HEADER.size} bytes of {length}")
            found = hashlib.sha256()
            while block := file.read(_BLOCK):
                found.update(block)
            if found.digest() != digest:
                raise StateError("is damaged: its checksum does not fit")
            file.seek(_HEADER.size)
        except OSError as error:
            raise StateError(f"cannot be read: {_reason(error)}") from error

    def set_aside(self) -> pathlib.Path | None:
        """Rename the file, so that it is not written over; None where that is not possible.

        The newest SET_ASIDE of them are kept. What is no regular file stays where it is.
        """
        aside = self.path.with_name(f"{self.path.name}.broken-{time.time_ns()}")
        try:
            if not stat.S_ISREG(self.path.lstat().st_mode):
                return None
            self.path.rename(aside)
        except (OSError, ValueError):
            return None
        for old in sorted(self._beside("broken-"))[:-SET_ASIDE]:
            with contextlib.suppress(OSError):
                old.unlink()
        return aside

    def remove(self) -> None:
        """Remove the file, if there is one, and what interrupted writers left behind."""
        for leftover in (self.path, *self._beside("new-")):
            with contextlib.suppress(OSError, ValueError):
                if stat.S_ISREG(leftover.lstat().st_mode):
                    leftover.unlink()

    def tidy(self) -> None:
        """Remove what a writer that was killed left behind."""
        for leftover in self._beside("new-"):
            with contextlib.suppress(OSError):
                leftover.unlink()

    def _beside(self, kind: str) -> list[pathlib.Path]:
        beginning = f"{self.path.name}.{kind}"
        try:
            return [each for each in self.path.parent.iterdir() if each.name.startswith(beginning)]
        except (OSError, ValueError):
            return []

    # --- writing --------------------------------------------------------------------------

    def write(self, frames: Iterable[bytes]) -> int:
        """Write the frames as they come and put them in the place of the file; return its size.

        Raise StateError if that fails; the file is then as it was.
        """
        try:
            self._check_target()
            descriptor, name = tempfile.mkstemp(
                prefix=f"{self.path.name}.new-", dir=self.path.parent
            )
        except (OSError, ValueError) as error:
            raise StateError(f"cannot be written: {_reason(error)}") from error
        try:
            with os.fdopen(descriptor, "wb") as file:
                size = self._fill(file, frames)
            pathlib.Path(name).replace(self.path)
            if self._durable:
                self._sync_directory()
        except BaseException as error:
            with contextlib.suppress(OSError):
                pathlib.Path(name).unlink()
            if isinstance(error, OSError):
                raise StateError(f"cannot be written: {_reason(error)}") from error
            raise
        return size

    def _check_target(self) -> None:
        """Refuse to replace a directory or a device."""
        try:
            mode = self.path.lstat().st_mode
        except _MISSING:
            return
        if not stat.S_ISREG(mode):
            raise StateError("is no regular file")

    def _fill(self, file: IO[bytes], frames: Iterable[bytes]) -> int:
        file.write(bytes(_HEADER.size))
        digest, length = hashlib.sha256(), 0
        for frame in frames:
            for part in (_LENGTH.pack(len(frame)), frame):
                digest.update(part)
                file.write(part)
                length += len(part)
            if len(frame) > LARGEST_FRAME or length + _HEADER.size > self._largest:
                raise StateError(f"would have more than {self._largest} bytes")
        file.seek(0)
        file.write(_HEADER.pack(self._magic, self._version, length, digest.digest()))
        file.flush()
        if self._durable:
            os.fsync(file.fileno())
        return length + _HEADER.size

    def _sync_directory(self) -> None:
        descriptor = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def largest(max_records: int) -> int:
    """Return how many bytes a file of so many records may have."""
    return _FOR_TABLES + _PER_RECORD * max_records


def _frames(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while head := file.read(_LENGTH.size):
            if len(head) < _LENGTH.size:
                raise StateError("is damaged: a frame is cut")
            (length,) = _LENGTH.unpack(head)
            if length > LARGEST_FRAME:
                raise StateError(f"is damaged: a frame of {length} bytes")
            frame = file.read(length)
            if len(frame) < length:
                raise StateError("is damaged: a frame is cut")
            yield frame


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
