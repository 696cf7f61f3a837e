"""Chooses where the broker URL comes from, since it is a secret and has more sources than one."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, NamedTuple

from celery_sentinel import errors
from celery_sentinel.config import texts

if TYPE_CHECKING:
    from collections.abc import Mapping

CREDENTIAL = "broker-url"
_MAX_BYTES = 64 * 1024


class Given(NamedTuple):
    """A value and the name of the flag or variable that gave it."""

    value: str
    origin: str


def choose(
    levels: list[tuple[Given | None, Given | None]],
    environ: Mapping[str, str],
) -> Given | None:
    """Return the broker URL of the first level that gives one, or None.

    Each level is a pair: the URL itself, and a file that holds it; first the flags, then the
    environment. Below them comes ``$CREDENTIALS_DIRECTORY/broker-url``, which systemd and
    Kubernetes provide. Raise ConfigError for a file that cannot be used, and for a level that
    gives both.
    """
    for url, file in levels:
        if url and file:
            raise errors.ConfigError(
                f"found both {url.origin} and {file.origin}; give only one of them",
            )
        if url:
            return url
        if file:
            return _read(file)
    return _credential(environ.get("CREDENTIALS_DIRECTORY", ""))


def _credential(directory: str) -> Given | None:
    file = pathlib.Path(directory) / CREDENTIAL
    if not directory or not file.exists():
        return None
    return _read(Given(str(file), f"$CREDENTIALS_DIRECTORY/{CREDENTIAL}"))


def _read(file: Given) -> Given:
    """Return the URL that the only line of a file holds."""
    name = texts.printable(file.value)
    allowed = "give a file of one line, the broker URL, that this user may read"
    try:
        with pathlib.Path(file.value).open("rb") as stream:
            url = stream.read(_MAX_BYTES).decode().strip()
    except UnicodeDecodeError:
        raise errors.ConfigError(f"{file.origin}: {name} is not UTF-8; {allowed}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise errors.ConfigError(
            f"{file.origin}: cannot read {name}: {reason}; {allowed}"
        ) from None
    if not url:
        raise errors.ConfigError(f"{file.origin}: {name} is empty; {allowed}")
    return Given(url, f"{file.origin} ({name})")
