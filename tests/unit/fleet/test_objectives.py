"""Objectives are there for what is known and what is named, and for nothing else."""

from __future__ import annotations

import pytest

from celery_sentinel.config import schema, thresholds
from celery_sentinel.fleet import objectives
from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import QUEUE, TASK, Stage

DURATION, LENGTH, RATIO = thresholds.Duration, thresholds.Length, thresholds.Ratio


def config(
    *rules: schema.TaskObjectives | schema.QueueObjectives, **sections: object
) -> schema.Config:
    """Return a configuration with rules for tasks and for queues."""
    tasks = tuple(rule for rule in rules if isinstance(rule, schema.TaskObjectives))
    queues = tuple(rule for rule in rules if isinstance(rule, schema.QueueObjectives))
    asked = schema.Objectives(tasks=tasks, queues=queues)
    return schema.Config(objectives=asked, **sections)  # type: ignore[arg-type]


def test_given_a_task_that_was_heard_then_the_defaults_are_asked_of_it(play: Stage) -> None:
    """Both severities show, each once, although the task runs in two queues."""
    play.sent("1")
    play.sent("2", queue="other")
    assert play.children(catalogue.TASK_OBJECTIVE_FAILURE_RATIO) == {
        (TASK, "warning"): 0.05,
        (TASK, "critical"): 0.1,
    }
    assert play.children(catalogue.TASK_OBJECTIVE_MINIMUM_RUNS) == {(TASK,): 20}
    assert play.children(catalogue.TASK_OBJECTIVE_SILENCE) == {}


def test_given_a_name_in_a_rule_then_it_is_there_before_the_task_is() -> None:
    """A task that was never heard can be missed; a glob names nobody."""
    nightly = schema.TaskObjectives(match="nightly", silence_seconds=DURATION("25h"))
    play = Stage(config(nightly, schema.TaskObjectives(match="n*", retry_ratio=RATIO(0.1))))
    assert play.children(catalogue.TASK_OBJECTIVE_SILENCE) == {("nightly", "warning"): 90000.0}
    assert play.children(catalogue.TASK_OBJECTIVE_RETRY_RATIO) == {("nightly", "warning"): 0.1}


def test_given_strangers_then_a_named_task_keeps_its_place() -> None:
    """The limit of names is filled by whoever comes first, and a rule is there first."""
    limits = schema.Metrics(limits=schema.Limits(names=2))
    rule = schema.TaskObjectives(match="pay", failure_ratio=RATIO(0.01))
    play = Stage(config(rule, metrics=limits))
    for number, name in enumerate(("a", "b", "c", "pay")):
        play.sent(str(number), name=name)
    assert play.children(catalogue.TASK_OBJECTIVE_RETRY_RATIO).keys() == {
        ("pay", "warning"),
        ("a", "warning"),
    }
    assert play.value(catalogue.TASK_SENT, "pay", QUEUE) == 1


def test_given_what_stands_for_many_then_nothing_is_asked_of_it() -> None:
    """Tasks under unknown or __other__ have no objective in common."""
    play = Stage(config(metrics=schema.Metrics(limits=schema.Limits(names=1))))
    play.ended(uuid="never heard of")
    play.sent("1", name="one")
    play.sent("2", name="two")
    names = {labels[0] for labels in play.children(catalogue.TASK_OBJECTIVE_STUCK)}
    assert names == {"one"}
    asked = play.fleet.objectives
    assert (asked.of_task("unknown"), asked.of_queue("__other__", "work")) == ((), ())


def test_given_queues_then_the_watched_and_the_named_are_asked_from_the_start() -> None:
    """A queue that is missing can be missed, and one with an objective is polled."""
    named = schema.QueueObjectives(match="bulk", length=LENGTH(50000), severity="critical")
    play = Stage(config(named, queues=schema.Queues(watch=("mail",))))
    assert play.children(catalogue.QUEUE_OBJECTIVE_LENGTH) == {
        ("bulk", "critical"): 50000,
        ("mail", "warning"): 1000,
        ("mail", "critical"): 5000,
    }
    assert play.value(catalogue.QUEUE_INFO, "bulk", "config", "work") == 1


def test_given_dead_letters_then_only_a_rule_with_the_name_counts() -> None:
    """Messages stay there, and nobody consumes them."""
    play = Stage(
        config(
            schema.QueueObjectives(match="failed", length=LENGTH(0)),
            schema.QueueObjectives(match="*", age_seconds=DURATION(60)),
            queues=schema.Queues(dead_letter=("failed", "lost")),
        )
    )
    assert play.children(catalogue.QUEUE_OBJECTIVE_LENGTH) == {("failed", "warning"): 0}
    assert play.children(catalogue.QUEUE_OBJECTIVE_AGE) == {}


def test_given_a_reload_then_the_new_objectives_are_asked_at_once(play: Stage) -> None:
    """Values change, series that are gone vanish, new names appear."""
    play.sent("1")
    play.fleet.reconfigure(
        config(
            schema.TaskObjectives(match="new", silence_seconds=DURATION(60)),
            schema.TaskObjectives(match="*", failure_ratio=RATIO("off"), stuck_seconds=DURATION(9)),
            schema.QueueObjectives(match=QUEUE, length=LENGTH(5)),
        )
    )
    assert play.children(catalogue.TASK_OBJECTIVE_FAILURE_RATIO) == {}
    assert play.value(catalogue.TASK_OBJECTIVE_STUCK, TASK, "warning") == 9
    assert play.value(catalogue.TASK_OBJECTIVE_SILENCE, "new", "warning") == 60
    assert play.children(catalogue.QUEUE_OBJECTIVE_LENGTH) == {(QUEUE, "warning"): 5}


def test_given_queues_that_come_and_go_then_little_is_remembered() -> None:
    """What was worked out once is kept for as many names as there can be."""
    limits = schema.Metrics(limits=schema.Limits(names=3, queues=4))
    asked = objectives.Objectives(config(metrics=limits))
    for number in range(1000):
        assert len(asked.of_queue(f"reply.{number}", "work")) == 4
        assert len(asked.of_task(f"task.{number}")) == 7
    assert asked.remembered <= 2 * 7


@pytest.mark.parametrize("name", ["", "a\0b", "*", "[", "x" * 10_000, "\ud800"])
def test_given_odd_names_then_they_have_the_defaults(name: str) -> None:
    """No name can break the matching."""
    asked = objectives.Objectives(
        config(schema.TaskObjectives(match="a[", stuck_seconds=DURATION(9)))
    )
    assert len(asked.of_task(name)) == 7
