"""What the dashboards are beyond what a linter knows."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any

import promql_parser
import pytest
import yaml
from grafana_foundation_sdk.cog import encoder, plugins
from grafana_foundation_sdk.models import dashboard as model

from celery_sentinel.metrics import catalogue
from grafana import boards, build
from tests import dashboards, promql
from tests.unit.alerts import shapes

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = promql.ALERTS.parent
UIDS = [f"celery-{noun}" for noun in ("overview", "queues", "sentinel", "tasks", "workers")]
SHARED = ["datasource", "job", "instance"]
OWN = {
    "celery-overview": [],
    "celery-tasks": ["name"],
    "celery-workers": ["hostname"],
    "celery-queues": ["queue_name"],
    "celery-sentinel": [],
}
MOST_PANELS = 24
NOT_SHOWN = {
    "celery_broker_delayed_messages": "RabbitMQ with native delayed delivery only",
    "celery_broker_info": "on the page; panels of the broker's health come with its alerts",
    "celery_broker_writable": "the same",
    "celery_broker_trouble": "the same",
    "celery_broker_alarm": "the same",
    "celery_broker_memory_used_bytes": "the same",
    "celery_broker_memory_max_bytes": "the same",
    "celery_broker_evicted_keys_total": "the same",
    "celery_broker_clients": "the same",
    "celery_broker_clients_max": "the same",
    "celery_queue_unreadable": "the page says so",
    "celery_sentinel_poll_failures_total": "polls are a timeline",
    "celery_queue_consumers": "the workers of a queue are shown, which the broker cannot know",
    "celery_result_backend_up": "few have one that is watched",
    "celery_result_backend_round_trip_seconds": "the same",
    "celery_worker_lost_total": "the workers that are lost now are shown by name",
    "celery_worker_pool_size": "the slots it may have are shown, of which a share is busy",
    "celery_worker_start_timestamp_seconds": "restarts are marked",
    "celery_worker_name_shared": "the page says so; it is there to alert on",
    "celery_worker_crashes_total": "restarts are shown; an alert tells of those without a goodbye",
    "celery_sentinel_log_lines_dropped_total": "0 but where nobody reads the log",
    "celery_sentinel_label_forgotten_total": "what has no room is shown",
    "celery_sentinel_control_requests_total": "workers without task events are in a table",
    "celery_sentinel_last_event_timestamp_seconds": "the stream and the lag are shown",
    "celery_sentinel_poll_last_success_timestamp_seconds": "polls are a timeline",
    "celery_sentinel_config_last_reload_success_timestamp_seconds": "whether it worked is shown",
    "celery_sentinel_web_config_last_reload_successful": "with a web config file only",
    "celery_sentinel_web_config_last_reload_success_timestamp_seconds": "the same",
    "celery_sentinel_web_certificate_expiry_timestamp_seconds": "with TLS only",
    "celery_sentinel_stream_gap_seconds_total": "breaks are counted",
    "celery_sentinel_stream_resumptions_total": "lost nothing",
    "celery_sentinel_state_restored": "with a state file only",
    "celery_sentinel_state_snapshot_timestamp_seconds": "the same",
    "celery_sentinel_state_snapshot_duration_seconds": "the same",
    "celery_sentinel_state_snapshot_size_bytes": "the same",
}
WITHOUT_NAME = {"celery_sentinel_build_info"}  # of the daemon, not of what it watches

every_dashboard = pytest.mark.parametrize(
    "dashboard", dashboards.every(), ids=lambda one: one["uid"]
)
every_panel = pytest.mark.parametrize("one", list(dashboards.panels()), ids=dashboards.about)
every_query = pytest.mark.parametrize("queries", dashboards.by_dashboard(), ids=dashboards.whose)


def annotations() -> list[tuple[dashboards.Dashboard, dict[str, Any]]]:
    """Return every annotation with its dashboard."""
    return [(one, note) for one in dashboards.every() for note in one["annotations"]["list"]]


def lost(before: Any, after: Any, where: str = "") -> Iterator[str]:
    """Yield where something of ``before`` is gone; ``after`` may have more, such as defaults."""
    if isinstance(before, dict):
        for key, value in before.items():
            yield from lost(value, after.get(key) if after else None, f"{where}/{key}")
    elif isinstance(before, list):
        for number, value in enumerate(before):
            yield from lost(value, after[number], f"{where}/{number}")
    elif before != after:
        yield where


def test_the_files_are_what_the_panels_build() -> None:
    """Nobody edits the JSON, and nobody forgets `make dashboards`."""
    assert [file.stem for file in dashboards.FILES] == UIDS
    for dashboard in boards.every():
        assert build.file(dashboard).read_text() == build.text(dashboard), "run: make dashboards"


@every_dashboard
def test_the_types_of_the_sdk_take_it(dashboard: dashboards.Dashboard) -> None:
    """Read into the SDK's types and written again, nothing is lost but what annotations add."""
    plugins.register_default_plugins()
    dashboard = copy.deepcopy(dashboard)
    read = model.Dashboard.from_json(json.loads(json.dumps(dashboard)))
    again = json.loads(json.dumps(read, cls=encoder.JSONEncoder))
    added = {"titleFormat", "textFormat", "tagKeys", "step"}
    for note in dashboard["annotations"]["list"]:
        for name in added:  # which the data source reads
            del note[name]
    assert list(lost(dashboard, again)) == []


@every_dashboard
def test_they_are_one_family(dashboard: dashboards.Dashboard) -> None:
    """Each has the shared variables in one order, then its own, and links to all five."""
    names = [variable["name"] for variable in dashboard["templating"]["list"]]
    assert names == SHARED + OWN[dashboard["uid"]]
    assert sorted(link["url"] for link in dashboard["links"]) == sorted(f"/d/{uid}" for uid in UIDS)
    assert all(link["includeVars"] and link["keepTime"] for link in dashboard["links"])


@every_dashboard
def test_they_fit_a_wall(dashboard: dashboards.Dashboard) -> None:
    """No pies, not too many panels, none over another, no hole within a line, no id twice."""
    shown = [one for board, one in dashboards.panels() if board["uid"] == dashboard["uid"]]
    assert len(shown) <= MOST_PANELS
    assert "piechart" not in {panel["type"] for panel in shown}
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
    rows = {y for _, y in taken}
    assert len(taken) == 24 * len(rows), "a line with a hole"


@every_panel
def test_numbers_do_not_outlive_what_they_tell(
    one: tuple[dashboards.Dashboard, dict[str, Any]],
) -> None:
    """A number without data is unknown, and a bar is of now: neither is the last there was."""
    panel = one[1]
    if panel["type"] == "stat":
        assert panel["targets"][0]["expr"].endswith(" or vector(NaN)")
        assert panel["options"]["reduceOptions"]["calcs"] == ["last"]
        assert panel["fieldConfig"]["defaults"]["mappings"][-1]["options"]["match"] == "null+nan"
    if panel["type"] == "bargauge":
        assert all(target["instant"] for target in panel["targets"])


@every_panel
def test_titles_are_said_once(one: tuple[dashboards.Dashboard, dict[str, Any]]) -> None:
    """Within a dashboard each panel can be named by its title."""
    dashboard, panel = one
    titles = [p["title"] for p in dashboard["panels"]]
    assert titles.count(panel["title"]) == 1


@every_query
def test_every_metric_and_label_exists(queries: list[dashboards.Asked]) -> None:
    """Names are in the catalogue or recorded, labels are theirs, and sides of a join can match."""
    for asked in queries:
        shapes.Shapes().of_text(asked.expression)


@pytest.mark.parametrize("one", annotations(), ids=lambda one: f"{one[0]['uid']}-{one[1]['name']}")
def test_annotations_ask_for_what_exists(
    one: tuple[dashboards.Dashboard, dict[str, Any]],
) -> None:
    """Marks of alerts and deployments read real series, and name labels that they keep."""
    dashboard, note = one
    query = dashboards.Asked(dashboard, {}, note)
    labels = shapes.Shapes().of_text(query.expression)
    spoken = re.findall(r"\{\{(\w+)\}\}", note["titleFormat"] + note["textFormat"])
    assert set(spoken) <= labels
    assert {n["name"] for n in dashboard["annotations"]["list"]} >= {"Alerts", "Restarts"}


@every_query
def test_legends_speak_of_labels_there_are(queries: list[dashboards.Asked]) -> None:
    """A legend shows nothing for a label that is gone."""
    for asked in queries:
        labels = shapes.Shapes().of_text(asked.expression)
        assert set(re.findall(r"\{\{(\w+)\}\}", asked.target["legendFormat"])) <= labels


@every_panel
def test_columns_are_of_labels_there_are(
    one: tuple[dashboards.Dashboard, dict[str, Any]],
) -> None:
    """A column of a table is a label of a query, or the value of one, and each has its look."""
    dashboard, panel = one
    if panel["type"] != "table":
        return
    found: set[str] = set()
    for target in panel["targets"]:
        found |= shapes.Shapes().of_text(dashboards.Asked(dashboard, panel, target).expression)
        found.add("Value" if len(panel["targets"]) == 1 else f"Value #{target['refId']}")
    arranged = panel["transformations"][-1]["options"]
    assert set(arranged["renameByName"]) <= found
    assert found <= set(arranged["renameByName"]) | set(arranged["excludeByName"])
    looks = {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}
    assert looks == set(arranged["renameByName"].values())
    assert panel["options"]["sortBy"][0]["displayName"] in looks


@every_query
def test_a_pair_is_folded_before_anything_is_added_up(queries: list[dashboards.Asked]) -> None:
    """Sums and counts are of recorded series, or of what was folded, or kept by instance."""
    for asked in queries:
        for node in promql.nodes(dashboards.parsed(asked.expression)):
            if not isinstance(node, promql_parser.AggregateExpr):
                continue
            if str(node.op) in {"max", "min", "group"}:
                continue
            assert not str(node).startswith(f"{node.op} without (instance"), f"adds up: {node}"
            kept = set(node.modifier.labels) if node.modifier else set()
            inner = {selector.name for selector in promql.selectors(str(node.expr))}
            folded = "without (instance, pod)" in str(node.expr)
            recorded = inner <= {*promql.records(), "ALERTS"}
            assert folded or recorded or "instance" in kept or inner <= WITHOUT_NAME, str(node)


def test_recorded_series_are_read_where_there_are_some() -> None:
    """What is recorded as it is, without a window of its own, is read from there."""
    plain = {
        promql.selectors(expression)[0].name
        for name, expression in promql.records().items()
        if re.search(r":(max|min)$", name) and "[" not in expression
    }
    plain -= promql.records().keys()
    assert len(plain) > 15
    for asked in dashboards.asked():
        if "instance" in shapes.Shapes().of_text(asked.expression):
            continue  # each of a pair for itself
        assert not dashboards.reads(asked) & plain, asked.target["expr"]


def test_what_is_not_shown_is_known() -> None:
    """Every metric of the catalogue is on a dashboard, or there is a reason."""
    asked = {name for asked in dashboards.asked() for name in dashboards.reads(asked)}
    asked |= {
        re.split(r"[({,]", variable["query"])[1]
        for dashboard in dashboards.every()
        for variable in dashboards.variables(dashboard)
    }
    shown = dashboards.underlying(asked)
    ours = {metric.name for metric in catalogue.METRICS if not metric.compat}
    assert ours - shown == set(NOT_SHOWN)


def test_provisioning_finds_them() -> None:
    """Grafana is told where the files are, and gets a data source of the type they ask for."""
    folder = ROOT / "deploy" / "grafana" / "provisioning"
    [source] = yaml.safe_load((folder / "datasources" / "prometheus.yml").read_text())[
        "datasources"
    ]
    [provider] = yaml.safe_load((folder / "dashboards" / "celery-sentinel.yml").read_text())[
        "providers"
    ]
    assert source["type"] == dashboards.every()[0]["templating"]["list"][0]["query"]
    assert source["jsonData"]["timeInterval"] == "15s"  # that of alerts/prometheus.example.yml
    assert provider["type"] == "file"
    assert provider["options"]["path"]
    assert sorted(build.DIRECTORY.rglob("*.json")) == dashboards.FILES
