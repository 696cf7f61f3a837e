"""Shortens the shipped rules, so that what takes hours in earnest can be seen within minutes.

Windows, offsets, ``for`` and intervals are divided by one factor. Thresholds are left alone: those
that matter are objectives of the configuration, which a test sets as small as it likes.
"""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Any

import promql_parser
import yaml

from tests import promql

if TYPE_CHECKING:
    import pathlib

SCRAPES_IN_A_RANGE = 4  # fewer, and one scrape that comes late leaves rate() without an answer
_DURATIONS = ("for", "keep_firing_for")
_AHEAD = "predict_linear"  # its second argument is a duration, though it is written as a number


class Rewriter:
    """Divides times by ``factor``; no range falls below four times ``scrape_interval`` (seconds).

    Times are rounded up to whole seconds, since that is what the parser's text can show.
    """

    def __init__(self, factor: float, *, scrape_interval: float) -> None:
        if factor < 1:
            raise ValueError(f"found the factor {factor}; rules can be shortened by 1 or more")
        self._factor = factor
        self._least_range = math.ceil(SCRAPES_IN_A_RANGE * scrape_interval)

    def file(self, source: pathlib.Path, target: pathlib.Path) -> None:
        """Write the rules of ``source``, shortened, to ``target``."""
        document = yaml.safe_load(source.read_text())
        for group in document["groups"]:
            if "interval" in group:
                group["interval"] = self.duration(group["interval"])
            group["rules"] = [self.rule(rule) for rule in group["rules"]]
        target.write_text(yaml.safe_dump(document, sort_keys=False, width=1000))

    def rule(self, rule: dict[str, Any]) -> dict[str, Any]:
        """Return one rule, shortened; names, labels and annotations stay."""
        changed = {name: self.duration(rule[name]) for name in _DURATIONS if name in rule}
        return {**rule, **changed, "expr": self.expression(rule["expr"])}

    def duration(self, text: str) -> str:
        """Return a duration of a rule file, shortened."""
        return f"{self._whole(promql.seconds(text))}s"

    def expression(self, text: str) -> str:
        """Return an expression, shortened; raises ValueError if it is none."""
        root = promql_parser.parse(text)
        for node in promql.nodes(root):
            span = getattr(node, "range", None)
            if span is not None:
                least = max(self._whole(span.total_seconds()), self._least_range)
                node.range = dt.timedelta(seconds=least)
            self._shorten(node, "offset")
            self._shorten(node, "step")
            if isinstance(node, promql_parser.Call) and node.func.name == _AHEAD:
                ahead: Any = node.args[1]
                ahead.val = float(self._whole(ahead.val))
        return str(root)

    def _shorten(self, node: Any, name: str) -> None:
        """Shorten a duration that a node may have; an offset into the future stays one."""
        found = getattr(node, name, None)
        if found:
            length = self._whole(abs(found.total_seconds()))
            sign = -1 if found.total_seconds() < 0 else 1
            setattr(node, name, dt.timedelta(seconds=sign * length))

    def _whole(self, seconds: float) -> int:
        return math.ceil(seconds / self._factor)
