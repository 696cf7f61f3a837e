"""The words in which a mistake in the configuration is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from celery_sentinel import errors

TYPE_NAMES = {bool: "true or false", int: "a number", float: "a number", str: "text"}
_LONGEST = 60

Path = tuple[str | int, ...]


def dotted(path: Path) -> str:
    """Write a path the way an operator would: ``tasks.buckets[0].match``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return printable(text)


def printable(text: str) -> str:
    """Escape what is not printable, so that a text stays one line."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def shortened(text: str) -> str:
    """Cut a text that came from the outside to what fits a line."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}… ({len(text)} characters)"


def quoted(value: object) -> str:
    """Show a value that was found the way YAML writes it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return shortened(repr(value))


def kind(value: object) -> str:
    """Name the kind of a value without showing it, for what may be a secret."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "a list"
    return TYPE_NAMES[type(value)]


def found(place: str, path: Path, what: str, allowed: str) -> errors.ConfigError:
    """Return the error for a value that cannot be used."""
    return errors.ConfigError(f"{place}: {dotted(path)}: found {what}; allowed: {allowed}")
