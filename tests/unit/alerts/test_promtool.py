"""Every rule fires when it should and stays quiet when it should: promtool runs alerts/tests."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests import promql
from tests.servers import server

if TYPE_CHECKING:
    import pathlib

FILES = sorted((promql.ALERTS / "tests").glob("*.test.yml"))
ALWAYS_FIRES = {"CeleryWatchdog"}


def promtool(*arguments: str | pathlib.Path) -> subprocess.CompletedProcess[str]:
    """Run promtool in the directory of the tests."""
    binary = server.find_binary("promtool", package="prometheus")
    return subprocess.run(
        [binary, *arguments],
        cwd=promql.ALERTS / "tests", capture_output=True, text=True, timeout=170, check=False,
    )  # fmt: skip


def expectations() -> list[dict[str, Any]]:
    """Return what all test files expect of alerts."""
    return [
        expected
        for file in FILES
        for test in yaml.safe_load(file.read_text())["tests"]
        for expected in test.get("alert_rule_test", ())
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_alerts_fire_and_stay_quiet(file: pathlib.Path) -> None:
    """What promtool finds is what the file expects, to the last word of the annotations."""
    done = promtool("test", "rules", file.name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout


def test_promtool_finds_nothing_wrong() -> None:
    """All rule files together pass every check promtool knows."""
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", *promql.RULE_FILES)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("rule", promql.alerts(), ids=promql.title)
def test_every_rule_is_seen_to_fire(rule: dict[str, Any]) -> None:
    """Of two rules with one name each has its own labels, by which the expected alert is known."""
    own = rule.get("labels", {})
    fired = [
        alert["exp_labels"]
        for expected in expectations()
        if expected["alertname"] == rule["alert"]
        for alert in expected.get("exp_alerts", ())
    ]
    assert any(own.items() <= labels.items() for labels in fired)


@pytest.mark.parametrize("name", sorted({rule["alert"] for rule in promql.alerts()} - ALWAYS_FIRES))
def test_every_alert_is_seen_to_stay_quiet(name: str) -> None:
    """At some moment of some test nothing fires under this name."""
    of_this = [expected for expected in expectations() if expected["alertname"] == name]
    assert [expected for expected in of_this if not expected.get("exp_alerts")]


def test_files_evaluate_in_one_order() -> None:
    """Promtool evaluates groups it is not told to order at random, so each file names them all."""
    groups = [
        group["name"]
        for file in promql.RULE_FILES
        for group in yaml.safe_load(file.read_text())["groups"]
    ]
    for file in FILES:
        order = yaml.safe_load(file.read_text())["group_eval_order"]
        assert sorted(order) == sorted(groups)
        recording = [name for name in order if name.startswith("celery-recording")]
        assert order[: len(recording)] == recording
