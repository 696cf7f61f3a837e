"""What has an objective is drawn beside it, and judged by nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from celery_sentinel.metrics import catalogue
from tests import dashboards
from tests.unit import test_deploy

if TYPE_CHECKING:
    import pathlib

# What the config sets objectives for.
JUDGED = {
    "celery_queue_length",
    "celery_queue_oldest_message_timestamp_seconds",
    "celery_task_failed_total",
    "celery_task_oldest_started_timestamp_seconds",
    "celery_task_queue_wait_seconds",
    "celery_task_retried_total",
    "celery_task_runtime_seconds",
}
# A queue that is older than allowed; one that may be older; one of another broker that may be.
QUEUES = {
    "job_queue_name:celery_queue_length:max": (5, 5, 5),
    "job_queue_name:celery_queue_oldest_message_timestamp_seconds:min": (200, 100, 200),
    "job_queue_name_severity:celery_queue_objective_length:max": (1000, 1000, 1000),
    "job_queue_name_severity:celery_queue_objective_age_seconds:max": (60, 14400, 300),
}
# A task that fails too often; one that ran once; one of another broker that may fail.
TASKS = {
    "job_name:celery_task_failures_per_ended:ratio_increase5m": (1, 1, 1),
    "job_name:celery_task_ended:increase5m": (100, 1, 100),
    "job_name:celery_task_objective_minimum_runs:max": (10, 10, 10),
    "job_name_severity:celery_task_objective_failure_ratio:max": (0, 0, 2),
}


def test_every_objective_is_drawn() -> None:
    """Each objective that the config can set is beside what it judges, or in a table."""
    drawn = {name for asked in dashboards.asked() for name in dashboards.reads(asked)}
    metrics = {m.name for m in catalogue.METRICS if "_objective_" in m.name}
    assert [m for m in metrics if not any(f":{m}:" in name for name in drawn)] == []


@pytest.mark.parametrize("one", list(dashboards.panels()), ids=dashboards.about)
def test_colours_are_of_objectives(one: tuple[dashboards.Dashboard, dict[str, Any]]) -> None:
    """What has an objective is judged by it: no number of ours says what is too much of it."""
    dashboard, panel = one
    for target in panel["targets"]:
        names = dashboards.reads(dashboards.Asked(dashboard, panel, target))
        if any("_objective_" in name for name in names):
            continue
        if not dashboards.underlying(names) & JUDGED:
            continue
        unit, steps = look_of(panel, target)
        # Whether there is any, such as a dead letter, is no matter of an objective.
        assert len(steps) <= 1 or (unit, [step["value"] for step in steps]) == ("short", [None, 1])


def look_of(panel: dict[str, Any], target: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """Return the unit and the steps of colours of what a query of a panel yields."""
    config = panel["fieldConfig"]
    found = {key: config["defaults"].get(key) for key in ("unit", "thresholds")}
    if panel["type"] == "table":
        value = "Value" if len(panel["targets"]) == 1 else f"Value #{target['refId']}"
        title = panel["transformations"][-1]["options"]["renameByName"].get(value)
        for override in config["overrides"]:
            if override["matcher"]["options"] == title:
                found |= {each["id"]: each["value"] for each in override["properties"]}
    return str(found["unit"]), (found["thresholds"] or {}).get("steps", [])


@pytest.mark.parametrize(
    ("uid", "title", "label", "given"),
    [
        ("celery-overview", "Queues late", "queue_name", QUEUES),
        ("celery-overview", "Tasks failing", "name", TASKS),
    ],
)
def test_what_is_over_its_own_objective_counts(
    uid: str, title: str, label: str, given: dict[str, tuple[int, ...]], tmp_path: pathlib.Path
) -> None:
    """One number says how many are beyond what their own broker's config allows them."""
    [target] = dashboards.panel(uid, title)["targets"]
    asked = dashboards.Asked(dashboards.named(uid), {}, target).expression
    whose = [f'job="ours",{label}="a"', f'job="ours",{label}="b"', f'job="theirs",{label}="a"']
    series = {
        f"{name}{{{who}}}": value
        for name, values in given.items()
        for who, value in zip(whose, values, strict=True)
    }
    assert test_deploy.value(asked, series, tmp_path) == 1
    fine = {name: value for name, value in series.items() if not name.endswith(f"{whose[0]}}}")}
    assert test_deploy.value(asked, fine, tmp_path) == 0
