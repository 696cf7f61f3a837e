"""Finds in objectives what is allowed and yet hardly meant: units, names, what never fires."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping

from celery_sentinel.config import durations, objectives, schema, texts, urls

Locate = Callable[[texts.Path], str]
Doubt = tuple[texts.Path, str]

_NOT_IN_A_GLOB = re.compile(r"[\\^$|()]|\.\+")
_DAY = durations.UNITS["d"]
# Plain numbers above these are more likely milliseconds.
_LONGEST_PLAUSIBLE = {
    "runtime_seconds": _DAY,
    "stuck_seconds": 7 * _DAY,
    "silence_seconds": 400 * _DAY,
    "age_seconds": 7 * _DAY,
}
_FASTEST_BURN = 14.4  # times the budget, from which on the alert rules page


def of(config: schema.Config, locate: Locate) -> Iterator[str]:
    """Yield a line for everything to look at again, with its place and key."""
    for path, doubt in itertools.chain(_of_tasks(config), _of_queues(config)):
        yield f"{locate(path)}: {texts.dotted(path)}: {doubt}"


def _of_tasks(config: schema.Config) -> Iterator[Doubt]:
    for index, rule in enumerate(config.objectives.tasks):
        path = ("objectives", "tasks", index)
        yield from _of_any(rule, path)
        yield from _of_silence(rule, (*path, "silence_seconds"))
        yield from _of_patience(config, rule, path)
        yield from _of_buckets(config, rule, (*path, "runtime_seconds"))
        yield from _of_budget(rule, (*path, "failure_budget"))


def _of_queues(config: schema.Config) -> Iterator[Doubt]:
    for index, rule in enumerate(config.objectives.queues):
        path = ("objectives", "queues", index)
        yield from _of_any(rule, path)
        yield from _of_left_out(config, rule, (*path, "match"))
        yield from _of_age(config, rule, (*path, "age_seconds"))


def _of_any(rule: objectives.Rule, path: texts.Path) -> Iterator[Doubt]:
    if _NOT_IN_A_GLOB.search(rule.match):
        yield (
            (*path, "match"),
            (
                f"{texts.quoted(rule.match)} looks like a regular expression, but is a glob: "
                "* is any characters, ? is one, [ab] one of several"
            ),
        )
    if rule.match != rule.match.strip():
        yield (
            (*path, "match"),
            f"{texts.quoted(rule.match)} matches no name without that space; leave it out",
        )
    for key in objectives.said(rule):
        found = objectives.threshold(rule, key)
        written = None if found is None else found.written
        most = _LONGEST_PLAUSIBLE.get(key)
        for value in written.values() if isinstance(written, dict) else [written]:
            if most and isinstance(value, int | float) and value > most:
                yield (
                    (*path, key),
                    (
                        f"{value} seconds are {value / _DAY:.1f} days; if milliseconds were meant, "
                        f"write {value / 1000:g}, if not, {durations.Seconds(value)}"
                    ),
                )


def _of_silence(rule: schema.TaskObjectives, path: texts.Path) -> Iterator[Doubt]:
    if not rule.match.strip("*") and objectives.limits(rule, "silence_seconds"):
        yield (
            path,
            (
                f"{texts.quoted(rule.match)} is every task, and one that ran once and never again "
                "alarms for ever; name the tasks that run by a schedule"
            ),
        )


def _of_patience(
    config: schema.Config, rule: schema.TaskObjectives, path: texts.Path
) -> Iterator[Doubt]:
    """Doubt that a run should count as stuck while it is as quick as it has to be."""
    asked = {each.key: each.limits for each in objectives.of_task(config.objectives, rule.match)}
    runtime, stuck = asked["runtime_seconds"], asked["stuck_seconds"]
    said = [key for key in ("stuck_seconds", "runtime_seconds") if objectives.limits(rule, key)]
    if said and runtime and stuck and min(stuck.values()) <= min(runtime.values()):
        yield (
            (*path, said[0]),
            (
                f"a run of {texts.quoted(rule.match)} may take {_shortest(runtime)}, but is "
                f"stuck after {_shortest(stuck)}; give a longer stuck_seconds"
            ),
        )


def _shortest(limits: Mapping[str, float]) -> str:
    return str(durations.Seconds(min(limits.values())))


def _of_buckets(
    config: schema.Config, rule: schema.TaskObjectives, path: texts.Path
) -> Iterator[Doubt]:
    """Doubt a run time that the histogram of such tasks cannot show."""
    limits = objectives.limits(rule, "runtime_seconds")
    buckets = (*config.tasks.buckets, schema.TaskBuckets())
    bounds = next(each.runtime for each in buckets if objectives.covers(each.match, rule.match))
    if not limits:
        return
    if not bounds:
        yield path, "the histogram of these tasks is turned off in tasks.buckets; nothing is judged"
    elif max(limits.values()) >= bounds[-1]:
        yield (
            path,
            (
                f"the histogram of these tasks ends at {durations.Seconds(bounds[-1])}, and no "
                "percentile is beyond that; add a longer bucket in tasks.buckets"
            ),
        )


def _of_budget(rule: schema.TaskObjectives, path: texts.Path) -> Iterator[Doubt]:
    limits = objectives.limits(rule, "failure_budget")
    if limits and max(limits.values()) * _FASTEST_BURN >= 1:
        yield (
            path,
            (
                f"{_FASTEST_BURN:g} times as much is more than all runs, so that the alert of "
                f"a fast burn never fires; give less than {1 / _FASTEST_BURN:.3f}"
            ),
        )


def _of_age(
    config: schema.Config, rule: schema.QueueObjectives, path: texts.Path
) -> Iterator[Doubt]:
    """Doubt an age that nothing shows: RabbitMQ tells of no message how old it is."""
    limits = objectives.limits(rule, "age_seconds")
    if not limits or not urls.is_amqp(config.broker.url):
        return
    buckets = (*config.tasks.buckets, schema.TaskBuckets())
    longest = max((each.queue_wait[-1] for each in buckets if each.queue_wait), default=0.0)
    if max(limits.values()) >= longest:
        yield (
            path,
            (
                "RabbitMQ tells no age, so that waits are judged once they are over, and their "
                f"histogram ends at {durations.Seconds(longest)}; add a longer bucket of "
                "queue_wait in tasks.buckets, or give a length"
            ),
        )


def _of_left_out(
    config: schema.Config, rule: schema.QueueObjectives, path: texts.Path
) -> Iterator[Doubt]:
    """Doubt a glob whose every queue has no objectives; a name is always measured."""
    if objectives.is_literal(rule.match):
        return
    for key, why in (
        ("ignore", "leaves such queues out"),
        ("dead_letter", "makes such queues dead-letter queues, of which only a name is judged"),
    ):
        for glob in getattr(config.queues, key):
            if objectives.covers(glob, rule.match):
                yield (
                    path,
                    (
                        f"{texts.quoted(rule.match)} matches no queue that is judged: "
                        f"{texts.quoted(glob)} in queues.{key} {why}; give the name of a queue"
                    ),
                )
                break
