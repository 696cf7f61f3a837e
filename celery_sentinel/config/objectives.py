"""Which objectives apply to a name: for each key the first rule that matches and sets it.

That rule says everything about the key, for all severities: a name whose warning was raised must
not keep a default that is critical below it.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from celery_sentinel.config import schema, thresholds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Rule = schema.TaskObjectives | schema.QueueObjectives

DEFAULT_TASKS = schema.TaskObjectives(
    match="*",
    failure_ratio=thresholds.Ratio.parse({"warning": 0.05, "critical": 0.1}),
    retry_ratio=thresholds.Ratio.parse(0.5),
    runtime_seconds=thresholds.Duration.parse("5m"),
    stuck_seconds=thresholds.Duration.parse("1h"),
    # From 1 / 0.05 runs on, a single failure stays within the ratio.
    minimum_runs=thresholds.Runs.parse(20),
    failure_budget=thresholds.Budget.parse(0.01),
)
DEFAULT_QUEUES = schema.QueueObjectives(
    match="*",
    length=thresholds.Length.parse({"warning": 1000, "critical": 5000}),
    age_seconds=thresholds.Duration.parse({"warning": "5m", "critical": "30m"}),
)
_WILDCARDS = frozenset("*?[")


class Applied(NamedTuple):
    """What one key asks of a name; ``rule`` is None where the defaults say it.

    ``limits`` are by severity, and none where the objective is off.
    """

    key: str
    rule: int | None
    threshold: thresholds.Threshold
    limits: Mapping[str, float]


def is_literal(match: str) -> bool:
    """Tell whether a match is a name rather than a glob."""
    return not _WILDCARDS & set(match)


def literals(rules: Sequence[Rule]) -> list[str]:
    """Return the names that rules match as they stand, each once."""
    return list(dict.fromkeys(rule.match for rule in rules if is_literal(rule.match)))


def keys(kind: type[Rule]) -> tuple[str, ...]:
    """Return the keys of a rule that are objectives."""
    return tuple(name for name in kind.__struct_fields__ if name not in {"match", "severity"})


def said(rule: Rule) -> list[str]:
    """Return the keys that a rule sets, be it to off."""
    return [key for key in keys(type(rule)) if threshold(rule, key) is not None]


def limits(rule: Rule, key: str) -> dict[str, float]:
    """Return the limits that a rule sets for a key, by severity."""
    found = threshold(rule, key)
    return {} if found is None else dict(found.limits(rule.severity))


def covers(wide: str, narrow: str) -> bool:
    """Tell whether glob ``wide`` surely matches all that ``narrow`` does.

    Where it matches the text of the other, with every ``*`` there taken as a character, it
    matches whatever the ``*`` stands for, unless it looks at single characters itself.
    """
    if wide == narrow or not wide.strip("*"):
        return True
    if is_literal(narrow):
        return fnmatchcase(narrow, wide)
    return not set("?[") & set(wide + narrow) and fnmatchcase(narrow, wide)


def threshold(rule: Rule, key: str) -> thresholds.Threshold | None:
    """Return what a rule says of a key; None where it says nothing."""
    value = getattr(rule, key)
    return None if value is msgspec.UNSET else value


def of_task(config: schema.Objectives, name: str) -> list[Applied]:
    """Return what applies to a task; keys that no rule sets are left out."""
    return list(_applied(config.tasks, DEFAULT_TASKS, name))


def of_queue(config: schema.Objectives, name: str, *, by_name_only: bool = False) -> list[Applied]:
    """Return what applies to a queue; ``by_name_only`` leaves globs and defaults aside."""
    if not by_name_only:
        return list(_applied(config.queues, DEFAULT_QUEUES, name))
    return list(_applied(config.queues, None, name, by_name_only=True))


def _applied(
    rules: Sequence[Rule], default: Rule | None, name: str, *, by_name_only: bool = False
) -> Iterator[Applied]:
    matching: list[tuple[int | None, Rule]] = [
        (index, rule)
        for index, rule in enumerate(rules)
        if (rule.match == name if by_name_only else fnmatchcase(name, rule.match))
    ]
    if default is not None:
        matching.append((None, default))
    for key in keys(type(matching[0][1])) if matching else ():
        for index, rule in matching:
            found = threshold(rule, key)
            if found is not None:
                yield Applied(key, index, found, found.limits(rule.severity))
                break
