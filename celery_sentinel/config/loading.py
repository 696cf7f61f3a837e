"""Loads the configuration: defaults, then the file, then what flags and environment override."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from celery_sentinel.config import (
    convert,
    objective_warnings,
    schema,
    texts,
    validate,
    yaml_nodes,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Loaded(NamedTuple):
    """A configuration; ``locate`` names the place of a key, ``doubts`` are lines of warning."""

    config: schema.Config
    locate: Callable[[texts.Path], str]
    doubts: tuple[str, ...]


def load(
    path: str | None,
    *,
    overrides: Mapping[str, object],
    origins: Mapping[str, str] | None = None,
) -> schema.Config:
    """Return the configuration alone; see read()."""
    return read(path, overrides=overrides, origins=origins).config


def read(
    path: str | None,
    *,
    overrides: Mapping[str, object],
    origins: Mapping[str, str] | None = None,
) -> Loaded:
    """Return the configuration of the file at ``path`` (None: no file) with ``overrides``.

    Keys of ``overrides`` are dotted, such as ``broker.url``; ``origins`` names for each the flag
    or variable it came from, for the texts of errors. Raise ConfigError for the first mistake:
    its text is one line with the place, the key, what was found and what is allowed, and shows
    no password.
    """
    tree = yaml_nodes.Node(value={}, place="defaults") if path is None else yaml_nodes.read(path)
    for key, value in overrides.items():
        origin = (origins or {}).get(key, key)
        tree = _overridden(tree, tuple(key.split(".")), _node(value, origin))
    config = convert.convert(tree, schema.Config)
    locate = locator(tree)
    validate.check(config, locate)
    doubts = (*validate.doubts(config, locate), *objective_warnings.of(config, locate))
    return Loaded(config, locate, doubts)


def locator(tree: yaml_nodes.Node) -> Callable[[texts.Path], str]:
    """Return what names the place of a key: that of the deepest node on the way to it."""

    def locate(path: texts.Path) -> str:
        return _place(tree, path)

    return locate


def _node(value: object, place: str) -> yaml_nodes.Node:
    """Return the node of a value that came from a flag, as if it stood in a file."""
    if isinstance(value, list | tuple):
        return yaml_nodes.Node(value=tuple(_node(item, place) for item in value), place=place)
    if value is None or isinstance(value, str | int | float):
        return yaml_nodes.Node(value=value, place=place)
    raise TypeError(f"{place}: an override is text, a number, a boolean or a list of them")


def _overridden(
    tree: yaml_nodes.Node, path: tuple[str, ...], node: yaml_nodes.Node
) -> yaml_nodes.Node:
    """Return ``tree`` with ``node`` at ``path``; what is no section there is kept and refused."""
    if not path:
        return node
    if tree.value is not None and not isinstance(tree.value, dict):
        return tree
    items = dict(tree.value or {})
    child = items.get(path[0], yaml_nodes.Node(value=None, place=node.place))
    items[path[0]] = _overridden(child, path[1:], node)
    return msgspec.structs.replace(tree, value=items)


def _place(tree: yaml_nodes.Node, path: texts.Path) -> str:
    """Return the place of the deepest node on the way to ``path``."""
    node = tree
    for step in path:
        if isinstance(node.value, dict) and step in node.value:
            node = node.value[str(step)]
        elif isinstance(node.value, tuple) and isinstance(step, int):
            node = node.value[step]
        else:
            break
    return node.place
