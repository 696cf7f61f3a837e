"""Reads rule files and their expressions as Prometheus does, for all that tests or changes them."""

from __future__ import annotations

import functools
import pathlib
import re
from typing import TYPE_CHECKING, Any

import promql_parser
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

ALERTS = pathlib.Path(__file__).parents[1] / "alerts"
RULE_FILES = sorted(ALERTS.glob("*.rules.yml"))

NO_TIME = ("0", "0s")  # which the parser refuses

_CHILDREN = ("lhs", "rhs", "expr", "vector_selector", "param")


def nodes(expression: Any) -> Iterator[Any]:
    """Yield an expression and all that is in it; a change to a yielded node stays."""
    yield expression
    for name in _CHILDREN:
        child = getattr(expression, name, None)
        if isinstance(child, promql_parser.Expr):
            yield from nodes(child)
    for argument in getattr(expression, "args", ()):
        yield from nodes(argument)


def selectors(expression: str) -> list[Any]:
    """Return the vector selectors of an expression."""
    every = nodes(promql_parser.parse(expression))
    return [node for node in every if isinstance(node, promql_parser.VectorSelector)]


def reach(expression: str) -> float:
    """Return how far an expression looks back, in seconds: its longest range, with its offset."""
    longest = 0.0
    for node in nodes(promql_parser.parse(expression)):
        offset = node.vector_selector.offset if is_range(node) else getattr(node, "offset", None)
        span = getattr(node, "range", None)
        seconds = sum(part.total_seconds() for part in (span, offset) if part is not None)
        longest = max(longest, seconds)
    return longest


def ranges(expression: str) -> list[float]:
    """Return the ranges of an expression in seconds, those of subqueries included."""
    every = nodes(promql_parser.parse(expression))
    return [node.range.total_seconds() for node in every if getattr(node, "range", None)]


def is_range(node: Any) -> bool:
    """Tell whether a node is a selector with a range."""
    return isinstance(node, promql_parser.MatrixSelector)


def seconds(duration: str | int) -> float:
    """Return a duration of a rule file (``1h30m``) in seconds."""
    if str(duration) in NO_TIME:
        return 0.0
    return promql_parser.parse_duration(str(duration)).total_seconds()


@functools.cache
def rules() -> list[dict[str, Any]]:
    """Return every shipped rule as its file has it."""
    return [
        rule
        for file in RULE_FILES
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
    ]


def alerts() -> list[dict[str, Any]]:
    """Return the alerting rules."""
    return [rule for rule in rules() if "alert" in rule]


@functools.cache
def records() -> dict[str, str]:
    """Return the recorded series: name and expression."""
    return {rule["record"]: rule["expr"] for rule in rules() if "record" in rule}


def title(rule: dict[str, Any]) -> str:
    """Return a name of a rule that no other has."""
    name = rule.get("alert") or rule["record"]
    return "-".join([name, *(str(value) for value in rule.get("labels", {}).values())])


def labels_in(annotation: str) -> set[str]:
    """Return the labels that a template speaks of."""
    return set(re.findall(r"\$labels\.(\w+)", annotation))
