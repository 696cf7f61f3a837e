"""Which rule decides about a name, and what is doubted of rules that are allowed."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from celery_sentinel.config import loading, objectives, schema

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable, Mapping

    Load = Callable[[str], loading.Loaded]

DESIGNED = """
objectives:
  tasks:
    - {match: "billing.*", failure_ratio: 0.01, runtime_seconds: 30, severity: critical}
    - {match: reports.nightly, silence_seconds: 25h, retry_ratio: off}
    - {match: "*", failure_ratio: 0.02, stuck_seconds: {critical: 2h}, minimum_runs: off}
  queues:
    - {match: bulk, length: 50000}
    - {match: "b*", length: 7, age_seconds: {warning: 60, critical: off}, workers: 3}
"""


@pytest.fixture
def load(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load a configuration from its text, as the file ``sentinel.yml``."""
    monkeypatch.chdir(tmp_path)

    def read(text: str) -> loading.Loaded:
        (tmp_path / "sentinel.yml").write_text(text)
        return loading.read("sentinel.yml", overrides={})

    return read


def limits(applied: list[objectives.Applied]) -> dict[str, Mapping[str, float]]:
    """Return limits by key and severity."""
    return {each.key: each.limits for each in applied}


def test_without_rules_there_are_defaults() -> None:
    """The thresholds people ask for hold without a config file."""
    nothing = schema.Objectives()
    assert limits(objectives.of_task(nothing, "any")) == {
        "failure_ratio": {"warning": 0.05, "critical": 0.1},
        "retry_ratio": {"warning": 0.5},
        "runtime_seconds": {"warning": 300},
        "stuck_seconds": {"warning": 3600},
        "minimum_runs": {"warning": 20},
        "failure_budget": {"warning": 0.01},
    }
    assert limits(objectives.of_queue(nothing, "any")) == {
        "length": {"warning": 1000, "critical": 5000},
        "age_seconds": {"warning": 300, "critical": 1800},
    }
    assert objectives.of_queue(nothing, "any", by_name_only=True) == []


def test_each_key_is_decided_by_the_first_rule_that_sets_it(load: Load) -> None:
    """A rule that leaves a key out leaves it to the next; one that sets it sets all severities."""
    rules = load(DESIGNED).config.objectives
    nightly = limits(objectives.of_task(rules, "reports.nightly"))
    assert nightly["silence_seconds"] == {"warning": 90000}
    assert nightly["failure_ratio"] == {"warning": 0.02}
    assert nightly["runtime_seconds"] == {"warning": 300}
    billing = limits(objectives.of_task(rules, "billing.charge"))
    assert billing["failure_ratio"] == {"critical": 0.01}
    assert billing["stuck_seconds"] == {"critical": 7200}


def test_a_raised_warning_leaves_no_lower_default(load: Load) -> None:
    """Who allows 50,000 messages is not paged at the default of 5,000."""
    bulk = limits(objectives.of_queue(load(DESIGNED).config.objectives, "bulk"))
    assert bulk == {
        "length": {"warning": 50000},
        "age_seconds": {"warning": 60},
        "workers": {"warning": 3},
    }


def test_off_is_a_decision_too(load: Load) -> None:
    """A key that is off is not taken from a later rule nor from the defaults."""
    nightly = limits(objectives.of_task(load(DESIGNED).config.objectives, "reports.nightly"))
    assert (nightly["retry_ratio"], nightly["minimum_runs"]) == ({}, {})


def test_a_dead_letter_queue_is_judged_by_its_name_only(load: Load) -> None:
    """Neither globs nor defaults reach it."""
    rules = load(DESIGNED).config.objectives
    bulk = objectives.of_queue(rules, "bulk", by_name_only=True)
    assert limits(bulk) == {"length": {"warning": 50000}}
    assert objectives.of_queue(rules, "bad", by_name_only=True) == []


GLOBS = st.text(alphabet="ab.*?[]", min_size=1, max_size=6)


@given(wide=GLOBS, narrow=GLOBS, name=st.text(alphabet="ab.*", max_size=6))
def test_what_covers_leaves_nothing_out(wide: str, narrow: str, name: str) -> None:
    """No name that the covered glob matches escapes the one that covers it."""
    if objectives.covers(wide, narrow) and fnmatchcase(name, narrow):
        assert fnmatchcase(name, wide)


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [("*", "a.*"), ("**", "a"), ("a.*", "a.b"), ("a.*", "a.b.*"), ("a?", "ab"), ("[ab]*", "[ab]*")],
)
def test_covering_is_seen(wide: str, narrow: str) -> None:
    """The usual ways to put the wider rule first are found."""
    assert objectives.covers(wide, narrow)
    assert wide == narrow or not objectives.covers(narrow, wide)


@pytest.mark.parametrize(
    ("wide", "narrow"), [("a?b", "a*b"), ("[*]", "*"), ("a*", "*"), ("a", "a*"), ("*.b", "a.*")]
)
def test_what_may_escape_is_not_covered(wide: str, narrow: str) -> None:
    """A rule is not refused for an earlier one that leaves it a name."""
    assert not objectives.covers(wide, narrow)


TASK = "objectives: {{tasks: [{{match: {}}}]}}"
QUEUE = "queues: {{dead_letter: ['*.dead']}}\nobjectives: {{queues: [{{match: {}}}]}}"


@pytest.mark.parametrize(
    ("text", "key", "doubt"),
    [
        (
            TASK.format("'*', silence_seconds: 1d"),
            "objectives.tasks[0].silence_seconds",
            (
                "'*' is every task, and one that ran once and never again alarms for ever; name "
                "the tasks that run by a schedule"
            ),
        ),
        (
            TASK.format("a, stuck_seconds: 3600000"),
            "objectives.tasks[0].stuck_seconds",
            "3600000 seconds are 41.7 days; if milliseconds were meant, write 3600, if not, 1000h",
        ),
        (
            TASK.format("a, silence_seconds: {warning: 1d, critical: 90000000}"),
            "objectives.tasks[0].silence_seconds",
            (
                "90000000 seconds are 1041.7 days; "
                "if milliseconds were meant, write 90000, if not, 25000h"
            ),
        ),
        (
            TASK.format("a, runtime_seconds: 50m, stuck_seconds: 50m"),
            "objectives.tasks[0].stuck_seconds",
            "a run of 'a' may take 50m, but is stuck after 50m; give a longer stuck_seconds",
        ),
        (
            TASK.format("a, runtime_seconds: 1h, stuck_seconds: off"),
            "objectives.tasks[0].runtime_seconds",
            (
                "the histogram of these tasks ends at 1h, and no percentile is beyond that; add a "
                "longer bucket in tasks.buckets"
            ),
        ),
        (
            "tasks: {buckets: [{match: 'a*', runtime: []}]}\n"
            + TASK.format("ab, runtime_seconds: 1"),
            "objectives.tasks[0].runtime_seconds",
            "the histogram of these tasks is turned off in tasks.buckets; nothing is judged",
        ),
        (
            TASK.format("a, failure_budget: 0.07"),
            "objectives.tasks[0].failure_budget",
            (
                "14.4 times as much is more than all runs, so that the alert of a fast burn never "
                "fires; give less than 0.069"
            ),
        ),
        (
            TASK.format("'^pay$', retry_ratio: 0.1"),
            "objectives.tasks[0].match",
            (
                "'^pay$' looks like a regular expression, but is a glob: * is any characters, ? is "
                "one, [ab] one of several"
            ),
        ),
        (
            TASK.format("'billing.* ', retry_ratio: 0.1"),
            "objectives.tasks[0].match",
            "'billing.* ' matches no name without that space; leave it out",
        ),
        (
            "broker: {url: 'amqp://localhost'}\n"
            + QUEUE.format("bulk, age_seconds: {warning: 10m, critical: 2h}"),
            "objectives.queues[0].age_seconds",
            (
                "RabbitMQ tells no age, so that waits are judged once they are over, and their "
                "histogram ends at 2h; add a longer bucket of queue_wait in tasks.buckets, or give "
                "a length"
            ),
        ),
        (
            QUEUE.format("'celeryev.*', workers: 1"),
            "objectives.queues[0].match",
            (
                "'celeryev.*' matches no queue that is judged: 'celeryev*' in queues.ignore leaves "
                "such queues out; give the name of a queue"
            ),
        ),
        (
            QUEUE.format("'a*.dead', length: 0"),
            "objectives.queues[0].match",
            (
                "'a*.dead' matches no queue that is judged: '*.dead' in queues.dead_letter makes "
                "such queues dead-letter queues, of which only a name is judged; give the name of "
                "a queue"
            ),
        ),
    ],
)
def test_what_is_hardly_meant_is_doubted(load: Load, text: str, key: str, doubt: str) -> None:
    """One line says where, which key, why, and what to do."""
    line = text.count("\n") + 1
    assert load(text).doubts == (f"sentinel.yml:{line}: {key}: {doubt}",)


def test_a_default_that_calls_a_slow_task_stuck_is_doubted(load: Load) -> None:
    """The default of an hour is too short for a task that may take two."""
    text = "tasks: {buckets: [{runtime: [60, 36000]}]}\n" + TASK.format("a, runtime_seconds: 2h")
    assert load(text).doubts == (
        (
            "sentinel.yml:2: objectives.tasks[0].runtime_seconds: a run of 'a' may take 2h, but is "
            "stuck after 1h; give a longer stuck_seconds"
        ),
    )


@pytest.mark.parametrize(
    "text",
    [
        DESIGNED,
        TASK.format("a, silence_seconds: 400d"),
        TASK.format("'*', silence_seconds: off, stuck_seconds: 30d"),
        QUEUE.format("a.dead, length: 0, age_seconds: 7d"),
        QUEUE.format("celeryev.x, workers: 1"),
        QUEUE.format("bulk, age_seconds: 3h"),
        "broker: {url: 'amqp://localhost'}\n" + QUEUE.format("bulk, age_seconds: 1h"),
        "broker: {url: 'amqp://localhost'}\n"
        "tasks: {buckets: [{match: 'bulk.*', queue_wait: [60, 36000]}]}\n"
        + QUEUE.format("bulk, age_seconds: 3h"),
    ],
)
def test_what_can_be_meant_is_not_doubted(load: Load, text: str) -> None:
    """A unit that was written, a name, and what is off are taken at their word."""
    assert load(text).doubts == ()
