"""Checks that objectives make sense: refuses what contradicts itself or can never count."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence

from celery_sentinel.config import objectives, schema, texts, thresholds

Locate = Callable[[texts.Path], str]

_LONGEST_NAME = 250  # characters that a label keeps
_BOTH = set(thresholds.SEVERITIES)
_COLLECTIVE = {"unknown", "__other__"}
_NOTHING = "(?!)"  # what the standard library makes of a range that holds no character


def check(config: schema.Config, locate: Locate) -> None:
    """Raise ConfigError for the first rule that cannot be meant; ``locate`` names its place."""
    limits = config.metrics.limits
    _check_list(config.objectives.tasks, ("objectives", "tasks"), locate)
    _check_names(config.objectives.tasks, ("objectives", "tasks"), "names", limits.names, locate)
    _check_list(config.objectives.queues, ("objectives", "queues"), locate)
    _check_names(
        config.objectives.queues, ("objectives", "queues"), "queues", limits.queues, locate
    )


def _check_list(rules: Sequence[objectives.Rule], above: texts.Path, locate: Locate) -> None:
    for index, rule in enumerate(rules):
        path = (*above, index)
        said = objectives.said(rule)
        if not said:
            allowed = f"one or more of {', '.join(objectives.keys(type(rule)))} beside match"
            raise texts.found(locate(path), path, "a rule that sets nothing", allowed)
        _check_match(rule.match, (*path, "match"), locate)
        for key in said:
            _check_order(rule, key, path, locate)
            _check_reached(rules[:index], rule, key, path, locate)


def _check_match(match: str, path: texts.Path, locate: Locate) -> None:
    if match in _COLLECTIVE:
        allowed = "the name of one task or queue, or a glob: this stands for many"
        raise texts.found(locate(path), path, texts.quoted(match), allowed)
    if _NOTHING in fnmatch.translate(match):
        allowed = (
            "a range from the lower character to the higher, such as [a-z]: this matches nothing"
        )
        raise texts.found(locate(path), path, texts.quoted(match), allowed)
    if len(match) > _LONGEST_NAME:
        allowed = f"at most {_LONGEST_NAME}, to which longer names are cut"
        raise texts.found(locate(path), path, f"{len(match)} characters", allowed)


def _check_order(rule: objectives.Rule, key: str, path: texts.Path, locate: Locate) -> None:
    """Refuse a critical limit that is not beyond the warning of the same key."""
    found = objectives.threshold(rule, key)
    limits = objectives.limits(rule, key)
    if found is None or not isinstance(found.written, dict) or set(limits) != _BOTH:
        return
    warning, critical = limits["warning"], limits["critical"]
    if warning == critical or (critical < warning) != found.lower_is_worse:
        here = (*path, key, "critical")
        side = "below" if found.lower_is_worse else "above"
        allowed = (
            f"a value {side} that of warning ({found.written['warning']}), since critical is the "
            "worse; swap the two, or change one"
        )
        raise texts.found(locate(here), here, str(found.written["critical"]), allowed)


def _check_reached(
    earlier: Sequence[objectives.Rule],
    rule: objectives.Rule,
    key: str,
    path: texts.Path,
    locate: Locate,
) -> None:
    """Refuse a key that an earlier rule decides for every name this rule can match."""
    here = (*path, key)
    for index, before in enumerate(earlier):
        sets_it = objectives.threshold(before, key) is not None
        if sets_it and objectives.covers(before.match, rule.match):
            winner: texts.Path = (*path[:-1], index, key)
            allowed = (
                f"none, since {texts.dotted(winner)} ({locate(winner)}) goes before it and "
                f"{texts.quoted(before.match)} matches every such name; put the narrower match "
                "first, or keep one of them"
            )
            raise texts.found(locate(here), here, "a value that would never count", allowed)


def _check_names(
    rules: Sequence[objectives.Rule], path: texts.Path, label: str, limit: int, locate: Locate
) -> None:
    named = len(objectives.literals(rules))
    if named > limit:
        allowed = f"at most metrics.limits.{label} ({limit})"
        raise texts.found(locate(path), path, f"{named} names", allowed)
