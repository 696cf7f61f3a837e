"""Turns a document into the schema's structs, and says where and why when it cannot."""

from __future__ import annotations

import difflib
import typing
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import msgspec

from celery_sentinel import errors
from celery_sentinel.config import durations, schema, texts, thresholds, yaml_nodes

if TYPE_CHECKING:
    from collections.abc import Iterator

# The values of these sections are shown nowhere: passwords stand among them.
_SECRET_SECTIONS = {"broker", "result_backend", "tls_server_config", "basic_auth_users"}

_WORDS = {
    bool: "true or false",
    float: "a number",
    int: "a whole number",
    str: "text",
    str | int: "text or a whole number",
    schema.Text: "text that is not empty",
}

_Root = TypeVar("_Root", bound=msgspec.Struct)


class _UnknownKeyError(Exception):
    """A key that its section does not have: the place, its path, and the keys there are."""

    def __init__(self, place: str, path: texts.Path, allowed: list[str]) -> None:
        super().__init__(place, path)
        self.place, self.path, self.allowed = place, path, allowed


def convert(tree: yaml_nodes.Node, root: type[_Root]) -> _Root:
    """Return ``tree`` as a ``root``; raise ConfigError for the first value that does not fit."""
    try:
        plain = _value(tree, root, ())
    except _UnknownKeyError as error:
        raise _unknown(error, root) from None
    return msgspec.convert(plain, root, dec_hook=_decode)


def _decode(kind: type, value: object) -> object:
    if kind is durations.Seconds:
        return durations.parse(value)
    if _is_threshold(kind):
        return kind.parse(value)  # type: ignore[attr-defined]
    raise NotImplementedError(kind)


def _value(node: yaml_nodes.Node, kind: Any, path: texts.Path) -> object:
    """Return the plain value of ``node``, which fits ``kind``."""
    options = typing.get_args(kind)
    if type(None) in options:
        if node.value is None:
            return None
        kind = options[0]
    if msgspec.UnsetType in options:
        kind = options[0]
    if _is_struct(kind):
        return _section(node, kind, path)
    if _is_threshold(kind):
        return _threshold(node, kind, path)
    if typing.get_origin(kind) is tuple:
        return _items(node, kind, path)
    if typing.get_origin(kind) is dict and options[1] is not Any:
        return _mapping(node, kind, path)
    try:
        msgspec.convert(node.plain(), kind, dec_hook=_decode)
    except (msgspec.ValidationError, ValueError):
        raise _mismatch(node, kind, path) from None
    return node.plain()


def _items(node: yaml_nodes.Node, kind: Any, path: texts.Path) -> list[object]:
    if not isinstance(node.value, tuple):
        raise _mismatch(node, kind, path)
    item_kind = typing.get_args(kind)[0]
    return [_value(item, item_kind, (*path, index)) for index, item in enumerate(node.value)]


def _mapping(node: yaml_nodes.Node, kind: Any, path: texts.Path) -> dict[str, object]:
    if not isinstance(node.value, dict):
        raise _mismatch(node, kind, path)
    item_kind = typing.get_args(kind)[1]
    return {key: _value(item, item_kind, (*path, key)) for key, item in node.value.items()}


def _threshold(node: yaml_nodes.Node, kind: type[thresholds.Threshold], path: texts.Path) -> object:
    """Return the plain value of a threshold; what is wrong inside its mapping is told there."""
    if kind.graded and isinstance(node.value, dict) and node.value:
        for key, item in node.value.items():
            if key not in thresholds.SEVERITIES:
                allowed = list(thresholds.SEVERITIES)
                place = node.keys.get(key, node.place)
                raise _UnknownKeyError(place, (*path, key), allowed)
            _check_limit(item, kind, (*path, key), f"{kind.ALLOWED}, {thresholds.OFF}")
    elif isinstance(node.value, dict) and not node.value:
        raise texts.found(node.place, path, "an empty mapping", kind.allowed())
    else:
        _check_limit(node, kind, path, kind.allowed())
    return node.plain()


def _check_limit(
    node: yaml_nodes.Node, kind: type[thresholds.Threshold], path: texts.Path, allowed: str
) -> None:
    """Refuse what is no single value of a threshold."""
    value = node.plain()
    try:
        if value != thresholds.OFF:
            kind.number(value)
    except ValueError:
        shown = isinstance(value, str | int | float) and "@" not in str(value)
        what = texts.quoted(value) if shown else texts.kind(value)
        raise texts.found(node.place, path, what, allowed) from None


def _section(node: yaml_nodes.Node, kind: type[msgspec.Struct], path: texts.Path) -> object:
    if node.value is None and not isinstance(path[-1], int):
        return {}  # a section whose every line is commented out
    if not isinstance(node.value, dict):
        raise _mismatch(node, kind, path)
    kinds = typing.get_type_hints(kind, include_extras=True)
    for key in node.value:
        if key not in kinds:
            raise _UnknownKeyError(node.keys.get(key, node.place), (*path, key), list(kinds))
    for field in msgspec.structs.fields(kind):
        if field.required and field.name not in node.value:
            raise texts.found(node.place, path, f"no {field.name}", _allowed(kind))
    return {key: _value(item, kinds[key], (*path, key)) for key, item in node.value.items()}


def _unknown(error: _UnknownKeyError, root: type[msgspec.Struct]) -> errors.ConfigError:
    *parents, key = error.path
    allowed = error.allowed
    nearest: str | None = next(iter(difflib.get_close_matches(str(key), allowed, 1)), None)
    if nearest is None:
        elsewhere = {str(known[-1]): texts.dotted(known) for known in _known(root)}
        nearest = elsewhere.get(str(key))
    hint = f"did you mean {nearest}? " if nearest else ""
    where = texts.dotted((*parents, texts.shortened(str(key))))
    return errors.ConfigError(
        f"{error.place}: {where}: found an unknown key; {hint}allowed: {', '.join(allowed)}",
    )


def _known(section: type[msgspec.Struct], path: texts.Path = ()) -> Iterator[texts.Path]:
    """Yield the path of every setting outside lists."""
    for name, kind in typing.get_type_hints(section).items():
        yield (*path, name)
        if _is_struct(kind):
            yield from _known(kind, (*path, name))


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _is_threshold(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, thresholds.Threshold)


def _mismatch(node: yaml_nodes.Node, kind: Any, path: texts.Path) -> errors.ConfigError:
    value = node.plain()
    secret = path[0] in _SECRET_SECTIONS
    shown = isinstance(node.value, str | int | float) and not secret and "@" not in str(value)
    what = texts.quoted(value) if shown else texts.kind(value)
    allowed = _allowed(kind)
    if kind in (str, schema.Text) and isinstance(value, int | float):
        allowed += " (put it in quotes)"
    return texts.found(node.place, path, what, allowed)


def _allowed(kind: Any) -> str:
    """Say what a value of ``kind`` may be."""
    options = typing.get_args(kind)
    origin = typing.get_origin(kind)
    if origin is Literal:
        words = ", ".join(map(str, options))
    elif origin is tuple:
        words = f"a list, each item {_allowed(options[0])}"
    elif origin is dict:
        words = "a mapping"
    elif origin is Annotated and options[0] is int:
        words = f"a whole number from {options[1].ge} to {options[1].le}"
    elif kind is durations.Seconds:
        words = durations.ALLOWED
    elif _is_threshold(kind):
        words = kind.allowed()
    elif _is_struct(kind):
        words = f"a mapping with the keys {', '.join(kind.__struct_fields__)}"
    else:
        words = _WORDS[kind]
    return words
