"""The catalogue declares every metric once, well named, and nothing in it is unused."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from celery_sentinel import daemon, reload
from celery_sentinel.metrics import catalogue
from celery_sentinel.web import server_metrics
from tests.unit.metrics import everything, parsing

if TYPE_CHECKING:
    from tests.servers import promtool

EVERY = pytest.mark.parametrize("metric", catalogue.METRICS, ids=lambda metric: metric.name)
UNITS = {"seconds", "bytes", "ratio"}
# The de-facto exporter's names, which do not end in their unit, or in what no gauge should.
COMPAT = {
    "celery_task_runtime",
    "celery_task_queue_wait_time",
    "celery_active_consumer_count",
    "celery_active_worker_count",
    "celery_active_process_count",
}
LABELS = {
    "name", "queue_name", "hostname", "exception", "category", "reason", "requeue", "state",
    "event", "window", "version", "system", "pool", "source", "role", "priority", "transport",
    "severity", "python", "celery", "kombu", "type", "result", "label", "poller", "part",
    "product", "mode", "eviction_policy", "alarm",
}  # fmt: skip


def test_given_the_catalogue_then_each_name_is_there_once() -> None:
    """No two metrics share a name, nor the name of their family."""
    names = Counter(metric.name for metric in catalogue.METRICS)
    families = Counter(metric.family for metric in catalogue.METRICS)
    assert [name for name, count in (names + families).items() if count > 2] == []
    assert max(names.values()) == max(families.values()) == 1


@EVERY
def test_given_a_metric_then_its_prefix_says_who_speaks(metric: catalogue.Metric) -> None:
    """What Celery says begins with celery_, what the daemon says of itself celery_sentinel_."""
    ours = metric.group == "sentinel"
    assert re.fullmatch(r"celery_[a-z][a-z0-9_]*[a-z0-9]", metric.name)
    assert metric.name.startswith("celery_sentinel_") == ours


@EVERY
def test_given_a_metric_then_its_suffix_says_what_it_is(metric: catalogue.Metric) -> None:
    """Counters, and only they, end in _total; a unit stands before that."""
    assert metric.name.endswith("_total") == (metric.type == "counter")
    if metric.name in COMPAT:
        assert metric.compat
        return
    assert not metric.family.endswith(("_total", "_count", "_sum", "_bucket", "_created"))
    if metric.unit:
        assert metric.unit in UNITS
        assert metric.family.endswith(f"_{metric.unit}")
    else:
        assert not metric.family.endswith(tuple(f"_{unit}" for unit in UNITS))


@EVERY
def test_given_a_metric_then_its_labels_are_known_and_in_order(metric: catalogue.Metric) -> None:
    """Labels are the documented ones, each once; name and queue_name come first."""
    assert set(metric.labels) <= LABELS
    assert len(set(metric.labels)) == len(metric.labels)
    if metric.by_hostname:
        assert metric.labels[:2] == ("name", "queue_name")
        assert "hostname" not in metric.labels


@EVERY
def test_given_a_metric_then_its_help_is_a_sentence(metric: catalogue.Metric) -> None:
    """Help is one line that ends in a full stop, and the source is said."""
    assert re.fullmatch(r"(?:[A-Z0-9].{14,118})\.", metric.help)
    assert metric.source
    assert "\n" not in metric.help + metric.source


@EVERY
def test_given_a_metric_then_only_what_begins_with_us_is_zero_born(
    metric: catalogue.Metric,
) -> None:
    """Task counters and histograms are born at 0; gauges have no birth."""
    if metric.group == "tasks":
        assert metric.zero_born == (metric.type != "gauge")
    if metric.type == "gauge":
        assert not metric.zero_born


def test_given_a_fleet_to_which_everything_happened_then_every_metric_shows() -> None:
    """Each entry of the catalogue is produced by a collector or by the daemon, once."""
    shown = [f.metric for f in everything.families(everything.stage()) if f.children]
    assert sorted(m.name for m in shown) == sorted(m.name for m in catalogue.METRICS)


def test_given_the_daemons_own_metrics_then_the_daemon_exposes_them() -> None:
    """What no collector yields is in the daemon's families."""
    source = inspect.getsource(daemon) + inspect.getsource(reload)
    assert [name for name in everything.DAEMONS if f"catalogue.{name}," not in source] == []
    source = inspect.getsource(server_metrics)
    assert [name for name in everything.SERVERS if f"catalogue.{name}," not in source] == []


@pytest.mark.parametrize("as_openmetrics", [False, True], ids=["text", "openmetrics"])
def test_given_every_metric_then_its_exposition_parses_to_what_is_declared(
    as_openmetrics: bool,
) -> None:
    """A parser finds each family once, with the type, help and unit of the catalogue."""
    text = parsing.render(
        list(everything.families(everything.stage())), as_openmetrics=as_openmetrics
    )
    found = parsing.parse(text, as_openmetrics=as_openmetrics)
    said = {(family.name, family.type, family.help) for family in found}
    declared = {(metric.family, metric.type, metric.help) for metric in catalogue.METRICS}
    assert len(found) == len(catalogue.METRICS)
    # The text format's parser cuts _total off the names of counters by itself.
    assert said == declared
    parsing.values(text, as_openmetrics=as_openmetrics)  # no series twice
    if as_openmetrics:
        assert {f.name: f.unit for f in found} == {m.family: m.unit for m in catalogue.METRICS}


def test_given_every_metric_then_prometheus_finds_nothing_wrong(
    prom_tool: promtool.PromTool,
) -> None:
    """``promtool check metrics`` has no complaint about any metric but those of other names."""
    families = everything.families(everything.stage())
    text = parsing.render([f for f in families if not f.metric.compat], as_openmetrics=False)
    assert prom_tool.complaints(text.encode()) == []
