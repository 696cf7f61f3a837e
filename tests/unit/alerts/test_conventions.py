"""The linter for our rules: how they are named, what they say, whom they call."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import promql_parser
import pytest
import yaml

from tests import promql

if TYPE_CHECKING:
    import pathlib

ROOT = promql.ALERTS.parent
RUNBOOKS = "https://celery-sentinel.example/docs/runbooks/"
DASHBOARD = re.compile(r"/d/celery-(overview|tasks|workers|queues|sentinel)(\?|$)")
SECTIONS = ["Meaning", "Impact", "Diagnosis", "Fix", "Silence"]
TARGET = {"instance", "pod"}
# Functions that came after Prometheus 2.42, or are behind a flag.
TOO_NEW = {
    "limitk", "limit_ratio", "info", "sort_by_label", "sort_by_label_desc", "mad_over_time",
    "double_exponential_smoothing", "histogram_avg", "histogram_stddev", "histogram_stdvar",
    "ts_of_max_over_time", "ts_of_min_over_time", "ts_of_last_over_time", "first_over_time",
}  # fmt: skip
every_rule = pytest.mark.parametrize("rule", promql.rules(), ids=promql.title)
every_alert = pytest.mark.parametrize("rule", promql.alerts(), ids=promql.title)
NAMES = sorted({rule["alert"] for rule in promql.alerts()})
PACK = [
    "CeleryTaskFailureBudgetBurn", "CeleryTaskFailureRatioHigh", "CeleryTaskRuntimeHigh",
    "CeleryTaskStuck", "CeleryTaskRetryStorm", "CeleryTaskRejected", "CeleryTaskUnregistered",
    "CeleryTaskLost", "CeleryTaskSilent", "CeleryTaskNewException",
    "CeleryTaskFailuresByInfrastructure", "CeleryWorkerLost", "CeleryWorkersLostMany",
    "CeleryNoWorkers", "CeleryWorkerWedged", "CeleryWorkerRestartLoop", "CeleryWorkersSaturated",
    "CeleryWorkerClockSkew", "CeleryWorkerEventsDisabled", "CeleryWorkerVersionSkew",
    "CeleryQueueTooOld", "CeleryQueueTooLong", "CeleryQueueGrowing", "CeleryQueueNoConsumers",
    "CeleryQueueStuck", "CeleryUnackedStale", "CeleryDeadLetters", "CelerySentinelDown",
    "CelerySentinelAbsent", "CeleryBrokerDown", "CelerySentinelDeaf",
    "CelerySentinelLosingEvents", "CelerySentinelLagging", "CelerySentinelPollFailing",
    "CelerySentinelLabelOverflow", "CelerySentinelConfigReloadFailed", "CelerySentinelCrashLoop",
    "CeleryWatchdog",
]  # fmt: skip


def parsed(rule: dict[str, Any]) -> list[Any]:
    """Return all nodes of a rule's expression."""
    return list(promql.nodes(promql_parser.parse(rule["expr"])))


def test_the_pack_is_whole() -> None:
    """Operators route and silence by these names: none goes, comes or changes unnoticed."""
    assert sorted(PACK) == NAMES


@pytest.mark.parametrize("file", promql.RULE_FILES, ids=lambda file: file.name)
def test_files_hold_one_noun(file: pathlib.Path) -> None:
    """recording.rules.yml records and the others alert; groups are named after their file."""
    noun = file.name.removesuffix(".rules.yml")
    for group in yaml.safe_load(file.read_text())["groups"]:
        assert re.fullmatch(rf"celery-{noun}(-[a-z]+)?", group["name"])
        kinds = {"record" if "record" in rule else "alert" for rule in group["rules"]}
        assert kinds == {"record" if noun == "recording" else "alert"}


@every_alert
def test_alerts_are_named_and_waited_for(rule: dict[str, Any]) -> None:
    """An alert begins with Celery, and says how long to wait, if only 0."""
    assert re.fullmatch(r"Celery[A-Z][A-Za-z]+", rule["alert"])
    assert "for" in rule
    assert promql.seconds(rule["for"]) > 0 or rule["alert"] == "CeleryWatchdog"


@pytest.mark.parametrize("name", promql.records())
def test_recorded_series_are_named_level_metric_operation(name: str) -> None:
    """The level names the labels that are left, the operation what was done last."""
    assert re.fullmatch(r"job(_[a-z]+)*:celery_[a-z_]+:[a-z0-9_]+", name)


@every_alert
def test_severity_is_the_objectives_or_one_of_two(rule: dict[str, Any]) -> None:
    """A rule that compares with an objective of two severities takes it from there."""
    severity = rule.get("labels", {}).get("severity")
    if severity is None:
        names = {selector.name for selector in promql.selectors(rule["expr"])}
        assert any("_severity:" in name for name in names), "nothing gives this rule a severity"
    elif rule["alert"] == "CeleryWatchdog":
        assert severity == "none"
    else:
        assert severity in {"warning", "critical"}


@every_alert
def test_annotations_say_it_all(rule: dict[str, Any]) -> None:
    """Summary, description, runbook and dashboard; nothing else, nothing in many lines."""
    notes = rule["annotations"]
    assert list(notes) == ["summary", "description", "runbook_url", "dashboard_url"]
    assert notes["runbook_url"] == f"{RUNBOOKS}{rule['alert']}.md"
    assert DASHBOARD.match(notes["dashboard_url"])
    assert notes["summary"].endswith(".")
    assert len(notes["summary"]) < 120


@every_alert
def test_values_are_humanised(rule: dict[str, Any]) -> None:
    """A bare float is for nobody to read."""
    for text in rule["annotations"].values():
        for use in re.findall(r"\{\{-?\s*(\$value|\.Value)([^}]*)\}\}", text):
            assert re.match(r"\s*\| humanize(Duration|Percentage)?\b", use[1]), use


@every_alert
def test_label_values_from_strangers_are_quoted(rule: dict[str, Any]) -> None:
    """Names of tasks, queues and workers may hold anything: text quotes them, addresses too."""
    for name, text in rule["annotations"].items():
        for label, how in re.findall(r"\{\{-?\s*\$labels\.(\w+)\s*([^}]*?)\s*-?\}\}", text):
            if name == "dashboard_url":
                assert how == "| urlquery", text
            elif label in {"name", "queue_name", "hostname", "exception", "job"}:
                assert how == '| printf "%q"', text


@every_alert
def test_every_alert_has_a_runbook(rule: dict[str, Any]) -> None:
    """The page that an alert links to exists, and has its five sections."""
    page = ROOT / "docs" / "runbooks" / f"{rule['alert']}.md"
    headings = re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE)
    assert headings == SECTIONS
    assert page.read_text().startswith(f"# {rule['alert']}\n")


def test_no_runbook_is_left_over() -> None:
    """Each runbook is of an alert that exists; README.md may list them."""
    pages = {page.stem for page in (ROOT / "docs" / "runbooks").glob("*.md")}
    assert pages - {"README"} == set(NAMES)


@every_rule
def test_rules_fit_a_job_of_any_name(rule: dict[str, Any]) -> None:
    """Nothing selects by job or by any label of a target."""
    for selector in promql.selectors(rule["expr"]):
        matched = {matcher.name for matcher in selector.matchers.matchers}
        assert not matched & {"job", "instance", "pod", "namespace", "cluster", "service"}


@every_rule
def test_labels_of_the_target_stay(rule: dict[str, Any]) -> None:
    """Whatever is aggregated or joined says what to leave out, never what to keep.

    So a site's own labels (cluster, namespace, team) reach the alert, and two brokers never mix.
    """
    for node in parsed(rule):
        modifier = getattr(node, "modifier", None)
        if isinstance(node, promql_parser.AggregateExpr):
            assert modifier is not None
            assert modifier.type == promql_parser.AggModifierType.Without
        elif modifier is not None and modifier.matching is not None:
            assert modifier.matching.type == promql_parser.LabelModifierType.Exclude


@every_rule
def test_stock_prometheus_2_42_knows_every_function(rule: dict[str, Any]) -> None:
    """No function that is newer, or that a flag has to switch on."""
    for node in parsed(rule):
        if isinstance(node, promql_parser.Call):
            assert not node.func.experimental
            assert node.func.name not in TOO_NEW


@every_rule
def test_a_pair_is_folded_before_anything_is_summed(rule: dict[str, Any]) -> None:
    """A sum or a count over series of two celery-sentinels would count everything twice.

    But for the alert that counts celery-sentinels.
    """
    if rule.get("alert") == "CelerySentinelDeaf":
        return
    for node in parsed(rule):
        if isinstance(node, promql_parser.AggregateExpr) and str(node.op) in {"sum", "count"}:
            folded = "without (instance, pod" in str(node.expr) or ":" in names_in(node.expr)
            apart = "instance" not in node.modifier.labels
            assert folded or apart, str(node)


def names_in(expression: Any) -> str:
    """Return the names of all series of an expression, one after the other."""
    every = promql.nodes(expression)
    return " ".join(n.name or "" for n in every if isinstance(n, promql_parser.VectorSelector))
