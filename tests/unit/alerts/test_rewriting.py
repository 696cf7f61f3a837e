"""Rules that are shortened for the suite of faults are the shipped ones in everything but time."""

from __future__ import annotations

import datetime as dt
import subprocess
from typing import TYPE_CHECKING, Any

import promql_parser
import pytest
import yaml

from tests import promql
from tests.faults import rewriting
from tests.servers import server

if TYPE_CHECKING:
    import pathlib

FACTOR = 30
SCRAPE = 2
every_rule = pytest.mark.parametrize("rule", promql.rules(), ids=promql.title)


@pytest.fixture
def rewriter() -> rewriting.Rewriter:
    """Return what shortens by 30 for a scrape each 2 s."""
    return rewriting.Rewriter(FACTOR, scrape_interval=SCRAPE)


def timeless(expression: str) -> str:
    """Return an expression with all of its durations made equal."""
    root = promql_parser.parse(expression)
    second = dt.timedelta(seconds=1)
    for node in promql.nodes(root):
        for name in ("range", "offset", "step"):
            if getattr(node, name, None):
                setattr(node, name, second)
        if isinstance(node, promql_parser.Call) and node.func.name == "predict_linear":
            ahead: Any = node.args[1]
            ahead.val = 1.0
    return str(root)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("rate(a[5m])", "rate(a{}[10s])"),
        ("rate(a[1m])", "rate(a{}[8s])"),
        ("max_over_time(a[6h] offset 20m)", "max_over_time(a{}[12m] offset 40s)"),
        ("a offset 1h - b", "a{} offset 2m - b{}"),
        ("a offset -1h", "a{} offset -2m"),
        ("predict_linear(a[30m], 3600) > 1000", "predict_linear(a{}[1m], 120) > 1000"),
        ("max_over_time(deriv(a[10m])[1h:1m] offset 1h)",
         "max_over_time(deriv(a{}[20s])[2m:2s] offset 2m)"),
        ("sum without (x) (increase(a[1h])) > 10", "sum without (x)(increase(a{}[2m])) > 10"),
        ('label_replace(a offset 5m, "s", "c", "", "")',
         'label_replace(a{} offset 10s, "s", "c", "", "")'),
        ("time() - a > 300", "time() - a{} > 300"),
    ],
)  # fmt: skip
def test_times_are_divided(rewriter: rewriting.Rewriter, before: str, after: str) -> None:
    """Ranges, offsets, steps and looks ahead are; a range keeps four scrapes; numbers stay."""
    assert rewriter.expression(before) == after


@every_rule
def test_nothing_but_time_changes(rewriter: rewriting.Rewriter, rule: dict[str, Any]) -> None:
    """The shortened expression parses to the shipped one, its durations apart."""
    rewritten = rewriter.rule(rule)
    assert timeless(rewritten["expr"]) == timeless(rule["expr"])
    assert {**rewritten, "expr": "", "for": ""} == {**rule, "expr": "", "for": ""} | (
        {} if "for" in rule else {"for": ""}
    )


@every_rule
def test_no_range_is_too_short(rewriter: rewriting.Rewriter, rule: dict[str, Any]) -> None:
    """Each range holds four scrapes, and none is longer than its thirtieth or that."""
    before, after = (
        [
            node.range.total_seconds()
            for node in promql.nodes(promql_parser.parse(text))
            if promql.is_range(node)
        ]
        for text in (rule["expr"], rewriter.rule(rule)["expr"])
    )
    assert after == [max(long / FACTOR, rewriting.SCRAPES_IN_A_RANGE * SCRAPE) for long in before]


@pytest.mark.parametrize(("before", "after"), [("1h", "120s"), ("0s", "0s"), ("10s", "1s")])
def test_waits_are_divided(rewriter: rewriting.Rewriter, before: str, after: str) -> None:
    """``for`` and intervals are, and are never rounded down to nothing."""
    assert rewriter.rule({"alert": "A", "expr": "a", "for": before})["for"] == after
    assert rewriter.duration(before) == after


@pytest.mark.parametrize("factor", [0, 0.5, -3])
def test_rules_cannot_be_lengthened(factor: float) -> None:
    """A factor below one is refused."""
    with pytest.raises(ValueError, match="1 or more"):
        rewriting.Rewriter(factor, scrape_interval=SCRAPE)


@pytest.mark.parametrize("text", ["rate(a[5m)", "", "sum by"])
def test_what_is_no_expression_is_refused(rewriter: rewriting.Rewriter, text: str) -> None:
    """Text that does not parse raises, rather than going to Prometheus as it is."""
    with pytest.raises(ValueError, match=r"."):
        rewriter.expression(text)


def test_prometheus_takes_the_shortened_files(
    rewriter: rewriting.Rewriter, tmp_path: pathlib.Path
) -> None:
    """All files pass promtool, intervals of groups are shorter too, and order stays."""
    targets = []
    for source in promql.RULE_FILES:
        target = tmp_path / source.name
        rewriter.file(source, target)
        targets.append(str(target))
        before, after = (yaml.safe_load(file.read_text())["groups"] for file in (source, target))
        assert [group["name"] for group in after] == [group["name"] for group in before]
        for old, new in zip(before, after, strict=True):
            assert len(new["rules"]) == len(old["rules"])
            assert (
                promql.seconds(new.get("interval", 0))
                == promql.seconds(old.get("interval", 0)) / FACTOR
            )
    promtool = server.find_binary("promtool", package="prometheus")
    done = subprocess.run(
        [promtool, "check", "rules", "--lint=all", *targets],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
