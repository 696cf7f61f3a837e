"""Writes which objectives apply to a task or a queue, and which rule says so."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from celery_sentinel.config import durations, objectives

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from celery_sentinel.config import loading

_DEFAULT = "default"


def lines(loaded: loading.Loaded, *, tasks: Sequence[str], queues: Sequence[str]) -> Iterator[str]:
    """Yield a heading for each name, then a line for each key: limits and their place."""
    config = loaded.config
    for name in tasks:
        yield f"task {name}"
        yield from _rows(loaded, "tasks", objectives.of_task(config.objectives, name))
    for name in queues:
        dead = any(fnmatchcase(name, glob) for glob in config.queues.dead_letter)
        applied = objectives.of_queue(config.objectives, name, by_name_only=dead)
        yield f"queue {name}{' (dead letters: only rules with its name apply)' if dead else ''}"
        yield from _rows(loaded, "queues", applied)


def _rows(
    loaded: loading.Loaded, kind: str, applied: Sequence[objectives.Applied]
) -> Iterator[str]:
    rows = [(each.key, _limits(each), _origin(loaded, kind, each)) for each in applied]
    if not rows:
        yield "  nothing"
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"  {'  '.join(cells).rstrip()}"


def _limits(applied: objectives.Applied) -> str:
    def shown(value: float) -> str:
        return str(durations.Seconds(value)) if applied.key.endswith("_seconds") else f"{value:g}"

    if not applied.threshold.graded:
        return ", ".join(map(shown, applied.limits.values())) or "off"
    each = (f"{shown(value)} {severity}" for severity, value in applied.limits.items())
    return ", ".join(each) or "off"


def _origin(loaded: loading.Loaded, kind: str, applied: objectives.Applied) -> str:
    if applied.rule is None:
        return _DEFAULT
    rules: Sequence[objectives.Rule] = getattr(loaded.config.objectives, kind)
    place = loaded.locate(("objectives", kind, applied.rule, applied.key))
    return f"{place} (match {rules[applied.rule].match!r})"
