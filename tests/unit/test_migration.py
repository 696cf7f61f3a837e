"""The page for those who come from celery-exporter names what there is, here and there."""

from __future__ import annotations

import pathlib
import re

import click
import pytest

from celery_sentinel import cli
from celery_sentinel.config import schema
from celery_sentinel.metrics import catalogue
from tests import promql

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "migrate-from-celery-exporter.md"
METRICS = {metric.name: metric for metric in catalogue.METRICS}
# What prometheus-exporter-celery 0.11.2 registers, and one that came after 0.12.2.
THEIRS = {
    *(
        f"celery_task_{what}_total"
        for what in (
            *("sent", "received", "started", "succeeded"),
            *("failed", "rejected", "revoked", "retried"),
        )
    ),
    *("celery_worker_up", "celery_worker_tasks_active", "celery_task_runtime"),
    *("celery_queue_length", "celery_active_consumer_count", "celery_active_worker_count"),
    *("celery_active_process_count", "celery_task_queue_wait_time"),
}
FLAGS = {
    *("--broker-url", "--broker-transport-option", "--broker-ssl-option", "--accept-content"),
    *("--retry-interval", "--host", "--port", "--buckets", "--log-level", "--worker-timeout"),
    *("--purge-offline-worker-metrics", "--generic-hostname-task-sent-metric", "--queues"),
    *("--metric-prefix", "--static-label", "-Q", "--queue-wait-buckets"),
}
# Alerts of its mixin.
ALERTS = {"CeleryTaskHighFailRate", "CeleryHighQueueLength", "CeleryWorkerDown"}


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the only table below a heading."""
    section = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def quoted(text: str) -> list[str]:
    """Return what stands between backquotes."""
    return re.findall(r"`([^`]+)`", text)


def test_every_metric_of_theirs_is_there() -> None:
    """None is forgotten, none is invented."""
    assert {name for theirs, *_ in rows("Metrics") for name in quoted(theirs)} == THEIRS


@pytest.mark.parametrize("row", rows("Metrics"), ids=lambda row: row[0])
def test_every_metric_of_ours_exists(row: list[str]) -> None:
    """It is in the catalogue with these labels, and so is the old name, as the page says."""
    [theirs], [ours] = quoted(row[0]), quoted(row[1])
    assert list(METRICS[ours].labels) == quoted(row[2])
    assert METRICS[theirs].compat is (row[3] == "compat")
    assert not METRICS[ours].compat
    assert (theirs == ours) is (row[3] == "kept")


def test_every_alias_is_in_the_table() -> None:
    """What metrics.compat adds is what the table says."""
    marked = {name for row in rows("Metrics") if row[3] == "compat" for name in quoted(row[0])}
    assert marked == {name for name, metric in METRICS.items() if metric.compat}


def test_every_flag_of_theirs_is_there() -> None:
    """None is forgotten, none is invented."""
    assert {flag for theirs, _ in rows("Flags") for flag in quoted(theirs)} == FLAGS


def test_every_setting_of_ours_exists() -> None:
    """Flags are those of run, keys those of the config file, wherever the page names them."""
    assert isinstance(cli.main, click.Group)
    known = {name for option in cli.main.commands["run"].params for name in option.opts}
    text = " ".join(PAGE.read_text().split())
    ours = {flag for _, cell in rows("Flags") for flag in quoted(cell) if flag.startswith("--")}
    assert ours <= known
    sections = "broker|events|metrics|queues|tasks|workers"
    keys = set(re.findall(rf"`((?:{sections})\.[a-z_]+)", text))
    assert len(keys) > 5
    for key in keys:
        section, name = key.split(".")
        assert hasattr(getattr(schema.Config(), section), name), key


def test_every_alert_of_theirs_has_one_of_ours() -> None:
    """None of the mixin is forgotten, and what stands beside it is in the pack."""
    pack = {rule["alert"] for rule in promql.alerts()}
    found = [row for row in rows("Dashboards and alerts") if row[0].startswith("alert ")]
    assert {name for theirs, *_ in found for name in quoted(theirs)} == ALERTS
    assert {name for _, ours, _ in found for name in quoted(ours)} <= pack
