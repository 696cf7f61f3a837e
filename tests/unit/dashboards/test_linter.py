"""The rules of Grafana's dashboard-linter, each as a test; its binary is not needed.

Rules that are left out, with the reason: none. Where a rule allows less than it should, the
exception stands beside the test.
"""

from __future__ import annotations

import re
from typing import Any

import promql_parser
import pytest

from tests import dashboards, promql

UNITS = {"none", "short", "percentunit", "s", "bytes", "cps", "cpm"}  # of the many that are valid
MAY_HAVE_NO_JOB = {"ALERTS"}  # an alert about all jobs, or that none is left, has no job
HAVE_NO_INSTANCE = {"ALERTS"}  # and recorded series: a pair is folded into one there
RATES = {"rate", "irate"}

every_dashboard = pytest.mark.parametrize(
    "dashboard", dashboards.every(), ids=lambda one: one["uid"]
)
every_panel = pytest.mark.parametrize("one", list(dashboards.panels()), ids=dashboards.about)
every_query = pytest.mark.parametrize("queries", dashboards.by_dashboard(), ids=dashboards.whose)


def selectors(asked: dashboards.Asked) -> list[Any]:
    """Return the selectors of a query, with the variables as they are written."""
    return promql.selectors(asked.as_written)


def matcher(selector: Any, label: str) -> str | None:
    """Return the value of a matcher by regular expression."""
    equal = promql_parser.MatchOp.Re
    found = [m.value for m in selector.matchers.matchers if m.name == label and m.op == equal]
    return found[0] if found else None


@every_dashboard
def test_template_datasource(dashboard: dashboards.Dashboard) -> None:
    """One variable chooses the data source; its name and label are the usual ones."""
    [source] = [v for v in dashboard["templating"]["list"] if v["type"] == "datasource"]
    assert (source["name"], source["label"], source["query"]) == (
        "datasource",
        "Data source",
        "prometheus",
    )


@every_dashboard
@pytest.mark.parametrize("name", ["job", "instance"])
def test_template_job_and_template_instance(dashboard: dashboards.Dashboard, name: str) -> None:
    """Two rules: job and instance can be chosen, several at once, and all of them."""
    variable = next(v for v in dashboards.variables(dashboard) if v["name"] == name)
    assert variable["label"] == name.title()
    assert variable["datasource"]["uid"] == "${datasource}"
    assert variable["multi"]
    assert variable["includeAll"]
    assert variable["allValue"] == ".+"


@every_dashboard
def test_template_label_promql(dashboard: dashboards.Dashboard) -> None:
    """Variables ask with a function of the data source and a selector that can be parsed."""
    for variable in dashboards.variables(dashboard):
        found = re.fullmatch(r"label_values\((.+), \w+\)", variable["query"])
        assert found, variable["query"]
        assert promql.selectors(found[1])


@every_dashboard
def test_template_on_time_change_reload(dashboard: dashboards.Dashboard) -> None:
    """Values are asked for anew when the time changes: workers come and go."""
    assert {v["refresh"] for v in dashboards.variables(dashboard)} == {2}


@every_dashboard
def test_uneditable_dashboard(dashboard: dashboards.Dashboard) -> None:
    """Changes belong in the panels' source; what is changed in Grafana is lost on an upgrade."""
    assert dashboard["editable"] is False


@every_panel
def test_panel_datasource(one: tuple[dashboards.Dashboard, dict[str, Any]]) -> None:
    """Each panel asks the data source that is chosen."""
    assert one[1]["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@every_panel
def test_panel_title_description(one: tuple[dashboards.Dashboard, dict[str, Any]]) -> None:
    """Each panel says what it shows, and what to do about it: a title and two sentences."""
    panel = one[1]
    assert 0 < len(panel["title"]) <= 45
    assert len(re.findall(r"[.:;]( |$)", panel["description"])) >= 2, panel["description"]


@every_panel
def test_panel_units(one: tuple[dashboards.Dashboard, dict[str, Any]]) -> None:
    """Each panel has a unit that Grafana knows, its columns too."""
    config = one[1]["fieldConfig"]
    own = [p["value"] for o in config["overrides"] for p in o["properties"] if p["id"] == "unit"]
    assert {config["defaults"]["unit"], *own} <= UNITS


@every_panel
def test_panel_no_targets(one: tuple[dashboards.Dashboard, dict[str, Any]]) -> None:
    """Each panel asks something."""
    assert one[1]["targets"]


@every_query
def test_target_promql(queries: list[dashboards.Asked]) -> None:
    """Each expression is PromQL, of a Prometheus without flags."""
    for asked in queries:
        for node in promql.nodes(dashboards.parsed(asked.expression)):
            if isinstance(node, promql_parser.Call):
                assert not node.func.experimental


@every_query
def test_target_logql_and_target_logql_auto(queries: list[dashboards.Asked]) -> None:
    """Two rules: nothing asks Loki, so there is no LogQL to be wrong."""
    for asked in queries:
        assert asked.target.get("datasource", asked.panel["datasource"])["type"] == "prometheus"


@every_query
def test_target_rate_interval(queries: list[dashboards.Asked]) -> None:
    """Rates are taken over what Grafana finds right for the scrape interval and the zoom."""
    for asked in queries:
        for node in promql.nodes(dashboards.parsed(asked.as_written)):
            if isinstance(node, promql_parser.Call) and node.func.name in RATES:
                assert node.args[0].range.total_seconds() == dashboards.WINDOW.rate_interval
        assert not re.search(r"\[\d", asked.target["expr"]), "a range that the zoom does not change"


@every_query
def test_target_job(queries: list[dashboards.Asked]) -> None:
    """Each selector keeps to the jobs that are chosen."""
    for asked in queries:
        for selector in selectors(asked):
            allowed = {"$job|"} if selector.name in MAY_HAVE_NO_JOB else {"$job"}
            assert matcher(selector, "job") in allowed, selector


@every_query
def test_target_instance(queries: list[dashboards.Asked]) -> None:
    """Each selector of what is exposed keeps to the instances that are chosen."""
    for asked in queries:
        for selector in selectors(asked):
            folded = selector.name in promql.records() or selector.name in HAVE_NO_INSTANCE
            assert matcher(selector, "instance") == (None if folded else "$instance"), selector


@every_query
def test_target_counter_agg(queries: list[dashboards.Asked]) -> None:
    """A counter is never shown as it is."""
    for asked in queries:
        text = dashboards.parsed(asked.expression)
        counted = [
            node.args[0].vector_selector
            for node in promql.nodes(text)
            if isinstance(node, promql_parser.Call) and node.func.name in {*RATES, "increase"}
        ]
        counters = [s for s in promql.selectors(asked.expression) if s.name.endswith("_total")]
        assert len(counters) == len([s for s in counted if s.name.endswith("_total")])
