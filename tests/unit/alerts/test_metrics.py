"""Rules read only what is there, long enough to see it."""

from __future__ import annotations

import fnmatch
from typing import Any

import pytest

from celery_sentinel.config import schema
from tests import promql
from tests.unit.alerts import shapes

DEFAULTS = schema.Config()
RETENTION = 15 * 86400.0  # of a Prometheus nobody has told otherwise; recorded series live as long
# How long a series stays when what it is about has gone, in seconds; the first match counts. A
# polled series also leaves three intervals after its poll began to fail, and a worker's at once
# when it says goodbye: then nothing is known, or nothing is wrong.
LIVES = {
    "celery_worker_*": DEFAULTS.workers.forget_after,
    "celery_queue_*": DEFAULTS.queues.forget_after,
    "celery_task_oldest_started_*": DEFAULTS.tasks.ttl,
    "*": RETENTION,
}
SLOWEST_SCRAPE = 30.0  # seconds; each range is to hold four

every_rule = pytest.mark.parametrize("rule", promql.rules(), ids=promql.title)
every_alert = pytest.mark.parametrize("rule", promql.alerts(), ids=promql.title)


def life(name: str) -> float:
    """Return how long a series of that name stays, in seconds."""
    return next(seconds for glob, seconds in LIVES.items() if fnmatch.fnmatchcase(name, glob))


def reaches(expression: str, before: float, seen: frozenset[str] = frozenset()) -> list[Any]:
    """Return the metrics an expression reads and for how long each has to be there, in seconds.

    What is recorded is there for as long as Prometheus keeps it: only what it is drawn from counts.
    """
    found = []
    recorded = promql.records()
    looks_back = before + promql.reach(expression)
    for selector in promql.selectors(expression):
        name = selector.name
        if name not in recorded:
            found.append((name, looks_back))
        elif name not in seen:
            found += reaches(recorded[name], before, seen | {name})
    return found


@every_rule
def test_every_metric_and_label_exists(rule: dict[str, Any]) -> None:
    """Names are in the catalogue or recorded, labels are theirs, and sides of a join can match."""
    assert "job" in shapes.Shapes().of_rule(rule) or rule["alert"] == "CeleryWatchdog"


@every_alert
def test_annotations_speak_of_labels_there_are(rule: dict[str, Any]) -> None:
    """A template shows nothing for a label that the alert does not have."""
    labels = shapes.Shapes().of_rule(rule)
    for text in rule["annotations"].values():
        assert promql.labels_in(text) <= labels


@every_alert
def test_alerts_have_a_severity_and_one_thing_they_are_about(rule: dict[str, Any]) -> None:
    """Nothing that tells twins apart is left, unless the alert is about one of them."""
    labels = shapes.Shapes().of_rule(rule)
    assert "severity" in labels
    assert "instance" not in labels or rule["alert"].startswith("CelerySentinel")


@pytest.mark.parametrize("name", promql.records())
def test_the_level_of_a_recorded_series_is_its_labels(name: str) -> None:
    """``job_name:…`` has the labels job and name, and but for the category of a failure no more."""
    labels = shapes.Shapes().of_name(name)
    assert labels - {"category"} == shapes.level(name) - {"category"}


@every_alert
def test_nothing_is_waited_for_longer_than_it_stays(rule: dict[str, Any]) -> None:
    """No ``for`` and no range outlives the series it reads, which would make the rule deaf."""
    for name, seconds in reaches(rule["expr"], promql.seconds(rule["for"])):
        assert seconds < life(name), f"{name} stays {life(name)} s, and is needed for {seconds} s"


@every_rule
def test_nothing_looks_further_back_than_prometheus_keeps(rule: dict[str, Any]) -> None:
    """Every range with its offset is well within the default retention."""
    assert promql.reach(rule["expr"]) <= RETENTION / 10


@every_rule
def test_ranges_hold_four_scrapes(rule: dict[str, Any]) -> None:
    """Each range is long enough for a scrape each 30 s of which one comes late."""
    for selected in promql.ranges(rule["expr"]):
        assert selected >= 4 * SLOWEST_SCRAPE


def test_the_table_of_lives_would_find_a_deaf_rule() -> None:
    """The de-facto exporter purges after 10 minutes what its rule wants to see for 15."""
    assert reaches("celery_worker_up == 0", 25 * 3600) == [("celery_worker_up", 25 * 3600)]
    assert life("celery_worker_up") < 25 * 3600
    read = reaches("job_hostname:celery_worker_up:max_over_time1h == 1", 60)
    assert ("celery_worker_up", 60) in read


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("celery_worker_upp == 0", "neither"),
        ('celery_worker_up{queue_name="q"}', "does not have"),
        ("sum without (queue) (celery_queue_length)", "not there"),
        ("celery_queue_length > celery_queue_priority_length", "never match"),
    ],
)
def test_mistakes_are_found(text: str, problem: str) -> None:
    """A misspelt metric or label, and sides of a join that never match, are told apart."""
    with pytest.raises(shapes.ShapeError, match=problem):
        shapes.Shapes().of_text(text)
