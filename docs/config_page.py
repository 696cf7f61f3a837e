#!/usr/bin/env python3
"""Writes docs/config.md: settings from the schema, flags from the commands, an example that loads.

Usage: ``python docs/config_page.py > docs/config.md``, which ``make docs`` does.
"""

from __future__ import annotations

import pathlib
import sys
import typing
from typing import TYPE_CHECKING, Annotated, Any, Literal

import click
import config_meanings
import config_objectives
import msgspec

from celery_sentinel.cli import commands
from celery_sentinel.config import durations, schema, thresholds

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE = pathlib.Path(__file__).with_name("example.yml")

INTRODUCTION = """\
# Configuration

<!-- Written by docs/config_page.py (`make docs`); edit that, the schema or docs/example.yml. -->

Everything works without a config file. Where a setting has several sources, a flag goes before
its environment variable, that before the config file, and that before the default.

`celery-sentinel check-config FILE` says what is wrong with a file: the line, the key, what was
found, what is allowed. If nothing is, it prints what would be used, with `***` for secrets. It
counts flags and environment variables as `run` does.

## Flags of `celery-sentinel run`
"""

SECRETS = """
The broker URL usually holds a password, so it has more sources than one: `--broker-url`,
`--broker-url-file` (a file of one line), their variables, and the file
`$CREDENTIALS_DIRECTORY/broker-url`, which systemd's `LoadCredential=` provides. Flags go first,
then the variables, then that file, then `broker.url` of the config file. A URL and a file for it
on the same level are refused.

## The config file

The file is YAML in UTF-8, one mapping of the sections below.

- Unknown keys, wrong types and keys given twice are errors, never ignored.
- A value without quotes is `true`, `false`, a number, `null`, or else text: `yes`, `on` and
  `12:30` are text. Anchors, aliases and tags are refused.
- A duration is a number of seconds, or a number with a unit: `15s`, `5m`, `24h`, `7d`.
- A glob matches the whole name: `*` any characters, `?` one, `[ab]` one of several.

## Reloading

SIGHUP loads the configuration afresh, and so does `POST /-/reload` with
`--web.enable-lifecycle`. A configuration that cannot be used changes nothing: the log says why
and `celery_sentinel_config_last_reload_successful` is 0. What takes effect at once is marked
&#8635; below. The log names the changed sections of which something waits for a restart.
"""

# What SIGHUP takes over; everything else waits for a restart. Sections and single keys.
RELOADED = ("log", "queues", "metrics.compat", "metrics.zero_born_hold", "events.enable",
            "tasks.categories", "objectives", "workers.wedged_after")  # fmt: skip


def page() -> Iterator[str]:
    """Yield the lines of the page."""
    yield INTRODUCTION
    yield from _head("flag", "variable", "meaning")
    yield from _flags()
    yield SECRETS
    for field in msgspec.structs.fields(schema.Config):
        yield from _section(field.name, field.type)
    yield from ("## A complete example", "", "```yaml", EXAMPLE.read_text().rstrip(), "```")


def keys(kind: Any = schema.Config, above: str = "") -> Iterator[str]:
    """Yield the path of every section and setting of the schema."""
    for name, hint in typing.get_type_hints(kind, include_extras=True).items():
        path = f"{above}.{name}" if above else name
        yield path
        inner, mark = _inner(hint)
        if inner is not None:
            yield from keys(inner, path + mark)


def is_reloaded(path: str) -> bool:
    """Tell whether a setting takes effect without a restart."""
    return any(path == each or path.startswith((f"{each}.", f"{each}[")) for each in RELOADED)


def _flags() -> Iterator[str]:
    for option in commands.main.commands["run"].params:
        help_text = getattr(option, "help", "") or ""
        if isinstance(option.type, click.Choice):
            help_text += f" Allowed: {', '.join(option.type.choices)}."
        variable = option.envvar if isinstance(option.envvar, str) else ""
        metavar = f" {option.metavar}" if option.metavar else ""
        yield _row(f"`{option.opts[0]}{metavar}`", f"`{variable}`", help_text)


def _section(path: str, kind: Any) -> Iterator[str]:
    """Yield heading, meaning and table of a section, then those of the sections inside it."""
    yield from (f"## {path}", "", config_meanings.MEANINGS.get(path, ""), "")
    yield from _head("key", "type", "default", "meaning")
    yield from _settings(path, kind)
    yield ""


def _settings(path: str, kind: Any) -> Iterator[str]:
    hints = typing.get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        here = f"{path}.{field.name}"
        inner, mark = _inner(hints[field.name])
        type_name = _type(hints[field.name])
        default = _default(field) if inner is None else "empty" if mark else "see its keys"
        if field.default is msgspec.UNSET:
            default = config_objectives.default(kind, field.name)
        if here == "broker.tls":
            default = "none"
        reloaded = " &#8635;" if is_reloaded(here) else ""
        meaning = config_meanings.MEANINGS.get(here, "")
        yield _row(f"`{here}`{reloaded}", type_name, default, meaning)
        if inner is not None:
            yield from _settings(here + mark, inner)


def _inner(hint: Any) -> tuple[Any, str]:
    """Return the section a type leads to, if any, and how its path goes on."""
    options = [kind for kind in typing.get_args(hint) if kind is not type(None)]
    if typing.get_origin(hint) is tuple and _is_section(options[0]):
        return options[0], "[]"
    kind = options[0] if type(None) in typing.get_args(hint) else hint
    return (kind, "") if _is_section(kind) else (None, "")


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _type(hint: Any) -> str:
    """Name a type in the words of the config file."""
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    words = {bool: "true or false", float: "number", str: "text", durations.Seconds: "duration"}
    if type(None) in options or msgspec.UnsetType in options:
        text = _type(options[0])
    elif origin is tuple:
        text = f"list of {_plural(options[0])}"
    elif origin is Literal:
        text = ", ".join(f"`{option}`" for option in options)
    elif origin is Annotated:
        text = "whole number from 1" if options[0] is int else "text"
    elif origin is dict or _is_section(hint):
        text = "mapping"
    elif isinstance(hint, type) and issubclass(hint, thresholds.Threshold):
        text = config_objectives.TYPES[hint]
    else:
        text = words[hint]
    return text


def _plural(kind: Any) -> str:
    plurals = {"number": "numbers", "text": "texts", "mapping": "mappings"}
    return plurals.get(_type(kind), _type(kind))


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "needed"
    value = field.default
    if value is msgspec.NODEFAULT:
        value = field.default_factory()
    return _written(value)


def _written(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple | dict):
        return ", ".join(map(_written, value)) or "empty"
    if isinstance(value, float) and not isinstance(value, durations.Seconds):
        return f"{value:g}"
    return f"`{value}`"


def _head(*cells: str) -> tuple[str, str]:
    return _row(*cells), _row(*["---"] * len(cells))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.stdout.write("\n".join(page()) + "\n")
