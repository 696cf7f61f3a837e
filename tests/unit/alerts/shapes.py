"""Which labels the result of an expression has, worked out from the catalogue without data."""

from __future__ import annotations

import functools
from typing import Any

import promql_parser

from celery_sentinel.metrics import catalogue
from tests import promql

TARGET = frozenset({"job", "instance", "pod"})
_SET_OPERATORS = {"and", "or", "unless"}
_Card = promql_parser.VectorMatchCardinality
Labels = frozenset[str]

# What every target has, what prometheus_client says of every process, and what Prometheus says of
# alerts: the labels of whatever they are about.
_FOREIGN: dict[str, Labels] = {
    "up": TARGET,
    "process_start_time_seconds": TARGET,
    "process_resident_memory_bytes": TARGET,
    "process_cpu_seconds_total": TARGET,
    "ALERTS": TARGET
    | {"alertname", "alertstate", "severity", "name", "queue_name", "hostname", "category"},
}


@functools.cache
def catalogued() -> dict[str, Labels]:
    """Return the samples of the catalogue and their labels, those of the target included."""
    found = dict(_FOREIGN)
    for metric in catalogue.METRICS:
        labels = TARGET | set(metric.labels) | ({"hostname"} if metric.by_hostname else set())
        if metric.type == "histogram":
            found[f"{metric.name}_bucket"] = labels | {"le"}
            found[f"{metric.name}_sum"] = found[f"{metric.name}_count"] = labels
        else:
            found[metric.name] = labels
    return found


class ShapeError(Exception):
    """An expression that cannot yield anything: a strange name, or sides that never match."""


class Shapes:
    """Works out labels; a series that records itself has those of the first of its alternatives."""

    def __init__(self) -> None:
        self._records = promql.records()
        self._known: dict[str, Labels] = {}

    def of_rule(self, rule: dict[str, Any]) -> Labels:
        """Return the labels of the series or the alerts of a rule; raises ShapeError."""
        labels = self.of_text(rule["expr"]) if "alert" in rule else self.of_name(rule["record"])
        return labels | set(rule.get("labels", {}))

    def of_text(self, text: str) -> Labels:
        """Return the labels of an expression's result; raises ShapeError."""
        return self._of(promql_parser.parse(text))

    def of_name(self, name: str) -> Labels:
        """Return the labels of a metric or a recorded series; raises ShapeError."""
        if name in self._records:
            if name not in self._known:
                self._known[name] = level(name)  # for a rule that reads what it records
                self._known[name] = self.of_text(self._records[name])
            return self._known[name]
        if name not in catalogued():
            raise ShapeError(f"{name} is neither in the catalogue nor recorded")
        return catalogued()[name]

    def _of(self, node: Any) -> Labels:
        if isinstance(node, promql_parser.VectorSelector):
            return self._of_selector(node)
        if isinstance(node, promql_parser.MatrixSelector):
            return self._of_selector(node.vector_selector)
        if isinstance(node, promql_parser.AggregateExpr):
            return self._of_aggregate(node)
        if isinstance(node, promql_parser.BinaryExpr):
            return self._of_binary(node)
        if isinstance(node, promql_parser.Call):
            return self._of_call(node)
        inner = getattr(node, "expr", None)
        return frozenset() if inner is None else self._of(inner)

    def _of_selector(self, node: Any) -> Labels:
        labels = self.of_name(node.name)
        for matcher in node.matchers.matchers:
            if matcher.name not in labels:
                raise ShapeError(f"{node} selects by {matcher.name}, which it does not have")
        return labels

    def _of_aggregate(self, node: Any) -> Labels:
        labels = self._of(node.expr)
        if node.modifier is None:
            return frozenset()
        if node.modifier.type == promql_parser.AggModifierType.By:
            kept = frozenset(node.modifier.labels)
            if kept - labels:
                raise ShapeError(f"{node} keeps {set(kept - labels)}, which is not there")
            return kept
        left_out = set(node.modifier.labels)
        strange = left_out - labels - {"hostname"}  # which tasks have only if a site wants it
        if strange:
            raise ShapeError(f"{node} leaves out {strange}, which is not there")
        return labels - left_out

    def _of_call(self, node: Any) -> Labels:
        name = node.func.name
        if name in {"time", "vector", "absent", "absent_over_time"}:
            for argument in node.args:
                self._of(argument)
            return frozenset()
        if name == "label_replace":
            return self._of(node.args[0]) | {node.args[1].val}
        labels = self._of(node.args[1] if name == "histogram_quantile" else node.args[0])
        return labels - {"le"} if name == "histogram_quantile" else labels

    def _of_binary(self, node: Any) -> Labels:
        left, right = self._of(node.lhs), self._of(node.rhs)
        if is_scalar(node.lhs) or is_scalar(node.rhs):
            return left | right
        ignored = _ignored(node, left | right)
        if str(node.op) == "or":
            return left | right
        if left - ignored != right - ignored:
            raise ShapeError(f"{node} can never match: {sorted(left)} and {sorted(right)}")
        if str(node.op) in _SET_OPERATORS:
            return left
        taken = set(node.modifier.group_labels or ()) if node.modifier else set()
        if node.modifier and node.modifier.card == _Card.ManyToOne:
            return left | taken
        if node.modifier and node.modifier.card == _Card.OneToMany:
            return right | taken
        return left - ignored


def _ignored(node: Any, labels: Labels) -> set[str]:
    if node.modifier is None or node.modifier.matching is None:
        return set()
    named = set(node.modifier.matching.labels)
    if node.modifier.matching.type == promql_parser.LabelModifierType.Include:
        return set(labels) - named
    return named


def is_scalar(node: Any) -> bool:
    """Tell whether an expression is one number rather than a set of series."""
    if isinstance(node, promql_parser.BinaryExpr):
        return is_scalar(node.lhs) and is_scalar(node.rhs)
    if isinstance(node, promql_parser.Call):
        return bool(node.func.name == "time")
    inner = getattr(node, "expr", None)
    return isinstance(node, promql_parser.NumberLiteral) or (
        isinstance(node, promql_parser.ParenExpr | promql_parser.UnaryExpr) and is_scalar(inner)
    )


def level(name: str) -> Labels:
    """Return the labels that the level in a recorded series' name tells."""
    text = name.partition(":")[0].replace("queue_name", "queue-name")
    if text == "job_instance":
        return TARGET
    return frozenset(part.replace("-", "_") for part in text.split("_"))
