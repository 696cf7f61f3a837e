"""Reads a config file into plain values that still know their lines; constructs nothing else."""

from __future__ import annotations

import math
import pathlib
import re
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from celery_sentinel import errors
from celery_sentinel.config import texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
_LONGEST_NUMBER = 64

Scalar = str | int | float | bool | None
# The stubs know the fields of an event by its subclass only.
_Event = Any

# What a scalar without quotes is: the core schema of YAML 1.2, whose `no`, `on` and `12:30`
# are the text that they look like.
_PLAIN: tuple[tuple[re.Pattern[str], Callable[[str], Scalar]], ...] = (
    (re.compile(r"~|null|Null|NULL|"), lambda _: None),
    (re.compile(r"true|True|TRUE"), lambda _: True),
    (re.compile(r"false|False|FALSE"), lambda _: False),
    (re.compile(r"[-+]?[0-9]+"), int),
    (re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+"), lambda text: int(text, 0)),
    (re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"), float),
    (re.compile(r"[-+]?\.(?:inf|Inf|INF)"), lambda text: float(text.replace(".", ""))),
    (re.compile(r"\.(?:nan|NaN|NAN)"), lambda _: math.nan),
)
_HINT = "check the indentation, and put text with special characters in quotes"


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A value and where it stands; the places of a mapping's keys are in ``keys``."""

    value: Scalar | tuple[Node, ...] | dict[str, Node]
    place: str
    keys: dict[str, str] = {}

    def plain(self) -> object:
        """Return the value without its places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, tuple):
            return [node.plain() for node in self.value]
        return self.value


def read(path: str, *, flag: str = "--config.file", example: str = "broker:") -> Node:
    """Read the file at ``path``; an empty one is an empty mapping.

    Raise ConfigError with ``file:line`` for what is unreadable or no plain mapping; its text
    names the ``flag`` that gave the file and an ``example`` of its sections.
    """
    name = texts.printable(path) or "''"
    try:
        with pathlib.Path(path).open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise errors.ConfigError(
            f"{name}: cannot read the config file: {reason}; "
            f"give {flag} a YAML file that this user may read",
        ) from None
    return parse(raw, name, example=example)


def parse(raw: bytes, name: str, *, example: str = "broker:") -> Node:
    """Read the text of a config file called ``name``; see read()."""
    if len(raw) > MAX_BYTES:
        raise errors.ConfigError(
            f"{name}:1: the file is larger than {MAX_BYTES} bytes, the most a config file may have",
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise errors.ConfigError(
            f"{name}:{line}: found a byte that is not UTF-8 (0x{raw[error.start]:02x}); "
            "save the file as UTF-8",
        ) from None
    node = _Reader(text, name).document()
    if node.value is None:
        return Node(value={}, place=node.place)
    if not isinstance(node.value, dict):
        raise errors.ConfigError(
            f"{node.place}: found {texts.kind(node.plain())} at the top; "
            f"a config file is a mapping of sections, such as `{example}`",
        )
    return node


class _Reader:
    """Builds nodes from YAML's events, which come lazily: no input can make it build much."""

    def __init__(self, text: str, name: str) -> None:
        self._name = name
        self._events = self._guarded(text)

    def document(self) -> Node:
        """Return the only document of the stream."""
        next(self._events)  # the start of the stream
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return Node(value=None, place=f"{self._name}:1")
        root = self._node(next(self._events), depth=0)
        next(self._events)  # the end of the document
        following = next(self._events)
        if not isinstance(following, yaml.StreamEndEvent):
            raise self._refused(following, "a second document starts here; keep one per file")
        return root

    def _guarded(self, text: str) -> Iterator[yaml.Event]:
        """Yield YAML's events; whatever the parser raises becomes a ConfigError."""
        line = 1
        try:
            for event in yaml.parse(text, Loader=yaml.SafeLoader):
                line = event.start_mark.line + 1 if event.start_mark else line
                yield event
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            raise errors.ConfigError(
                f"{self._name}:{line}: found a control character (U+{error.character:04X}); "
                "remove it or write it as an escape in double quotes",
            ) from None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise self._invalid(mark.line + 1 if mark else line, error.problem or "") from None
        except (ValueError, OverflowError):
            problem = "a number or an escape is out of range"
            raise self._invalid(line, problem) from None

    def _invalid(self, line: int, problem: str) -> errors.ConfigError:
        if "tag" in problem:  # the parser would quote it, and it may be a password
            problem = "found a tag (!)"
        text = texts.printable(problem)
        return errors.ConfigError(f"{self._name}:{line}: not valid YAML: {text}; {_HINT}")

    def _place(self, event: _Event) -> str:
        return f"{self._name}:{event.start_mark.line + 1}"

    def _refused(self, event: _Event, what: str) -> errors.ConfigError:
        return errors.ConfigError(f"{self._place(event)}: {what}")

    def _node(self, event: _Event, depth: int) -> Node:
        self._check(event)
        if depth > MAX_DEPTH:
            raise self._refused(event, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(event, depth)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(event, depth)
        text = self._text_of(event)
        return Node(value=text if event.style else _resolved(text), place=self._place(event))

    def _check(self, event: _Event) -> None:
        """Refuse aliases (which can grow without bound), and what else stands for something."""
        if isinstance(event, yaml.AliasEvent):
            sign, name = "*", "an alias"
        elif event.anchor is not None:
            sign, name = "&", "an anchor"
        elif event.tag is not None:
            sign, name = "!", "a tag"
        else:
            return
        raise self._refused(
            event,
            f"found {name} ({sign}), which is not allowed; write the value out, "
            f"and put text that starts with {sign} in quotes",
        )

    def _text_of(self, event: _Event) -> str:
        text: str = event.value
        try:
            text.encode()
        except UnicodeEncodeError:
            raise self._refused(event, "found half a surrogate pair; write the character") from None
        return text

    def _sequence(self, start: _Event, depth: int) -> Node:
        items: list[Node] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return Node(value=tuple(items), place=self._place(start))

    def _mapping(self, start: _Event, depth: int) -> Node:
        items: dict[str, Node] = {}
        keys: dict[str, str] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event)
            if key in items:
                raise self._refused(
                    event,
                    f"found the key {texts.quoted(key)} a second time (first at {keys[key]}); "
                    "keep one of them",
                )
            keys[key] = self._place(event)
            items[key] = self._node(next(self._events), depth + 1)
        return Node(value=items, place=self._place(start), keys=keys)

    def _key(self, event: _Event) -> str:
        self._check(event)
        if not isinstance(event, yaml.ScalarEvent):
            raise self._refused(event, "found a key that is no text; a key is one word")
        return self._text_of(event)


def _resolved(text: str) -> Scalar:
    """Give a scalar without quotes the type that it looks like."""
    if len(text) <= _LONGEST_NUMBER:
        for pattern, convert in _PLAIN:
            if pattern.fullmatch(text):
                return convert(text)
    return text
