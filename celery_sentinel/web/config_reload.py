"""Keeps the web config file and its certificates current while the server runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog

from celery_sentinel import errors, webconfig

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterable

# A file that is named anew may be missing for a moment, and nothing tells when it comes.
_RETRY_SECONDS = 5.0

_log = structlog.get_logger()

_Signature = tuple[tuple[int, ...] | None, ...]


class Rotation:
    """What the web config file asks for now; ``look()`` is called twice a second.

    ``current`` may be read from every thread. ``ok`` tells whether the files as they are now
    are in force, ``changed_at`` (epoch seconds) since when.
    """

    def __init__(self, path: str | None) -> None:
        """Raise ConfigError when the file cannot be used."""
        self.path = path
        self.current, signature = (webconfig.Loaded(), ()) if path is None else _read(path)
        self.ok, self.changed_at = True, time.time()
        self._settled: _Signature = signature
        self._seen: _Signature = signature
        self._retry_at = 0.0
        self._reason: str | None = None

    def look(self) -> None:
        """Read the files again if they have changed and rest; keep what holds if they are bad."""
        if self.path is None:
            return
        seen = _signature(self.current.files)
        resting, self._seen = seen == self._seen, seen
        if seen == self._settled and (self.ok or time.monotonic() < self._retry_at):
            return
        if resting:  # half of a pair may still be under way otherwise
            self._settled = seen
            self._retry_at = time.monotonic() + _RETRY_SECONDS
            self._load(self.path)

    def _load(self, path: str) -> None:
        try:
            loaded, signature = _read(path)
            self._check_kind(loaded)
        except errors.ConfigError as error:
            self.ok = False
            if str(error) != self._reason:
                self._reason = str(error)
                _log.error("web_config_failed", error=self._reason, kept="the one before")
            return
        self.current = loaded
        self._settled = self._seen = signature
        self.ok, self.changed_at, self._reason = True, time.time(), None
        for doubt in loaded.doubts:
            _log.warning("web_config_doubtful", doubt=doubt)
        _log.info("web_config_loaded", **_dates(loaded))

    def _check_kind(self, loaded: webconfig.Loaded) -> None:
        """Refuse to go on without TLS because a section was lost, or the other way round."""
        if (loaded.context is None) != (self.current.context is None):
            raise errors.ConfigError(
                f"{self.path}: TLS cannot be switched on or off while running; restart for that"
            )


def _read(path: str) -> tuple[webconfig.Loaded, _Signature]:
    """Read all files, and how they were just before: a change in between is seen later."""
    signature = _signature(webconfig.read(path).files)
    return webconfig.read(path), signature


def _dates(loaded: webconfig.Loaded) -> dict[str, str]:
    if loaded.expires is None:
        return {}
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(loaded.expires))
    return {"certificate_expires": moment}


def _signature(files: Iterable[pathlib.Path]) -> _Signature:
    """Return what changes when one of the files does; None stands for one that is not there."""
    return tuple(map(_signature_of, files))


def _signature_of(file: pathlib.Path) -> tuple[int, ...] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
