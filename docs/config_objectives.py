"""What the settings of objectives mean, for config_page.py, and what holds without them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery_sentinel.config import objectives, schema, thresholds

if TYPE_CHECKING:
    from collections.abc import Mapping

INTRODUCTION = """\
What is asked of tasks and queues. Each is exported as a metric, and the alert rules compare with \
it: to change a threshold, change it here. Several rules may match a name. For each key the first \
that matches and sets the key decides, about all its severities; what no rule sets has the \
default given below. A value is a limit with the rule's `severity`, or a mapping such as \
`{warning: 0.05, critical: 0.1}`, or `off`. Tasks under `unknown` or `__other__` have none. \
`celery-sentinel check-config FILE --task NAME --queue NAME` prints what applies to a name, and \
from which line; it also warns about what is allowed but hardly meant."""

MEANINGS: Mapping[str, str] = {
    "objectives": INTRODUCTION,
    "objectives.tasks": "Rules for tasks. A name without wildcards has its objectives from the "
    "start, whether the task was ever seen or not.",
    "objectives.tasks[].match": "Glob on the task's name.",
    "objectives.tasks[].severity": "The severity of the values of this rule that name none.",
    "objectives.tasks[].failure_ratio": "The share of ended runs that may fail.",
    "objectives.tasks[].retry_ratio": "The share of runs that may end in a retry.",
    "objectives.tasks[].runtime_seconds": "How long 95 % of the runs may take at most; shorter "
    "than the last bucket of the task's histogram.",
    "objectives.tasks[].stuck_seconds": "How long a single run may last.",
    "objectives.tasks[].silence_seconds": "How long the task may go without a run that succeeds; "
    "a little more than its schedule.",
    "objectives.tasks[].minimum_runs": "With fewer runs in the time that a rule looks at, no "
    "ratio is judged. One value for both severities.",
    "objectives.tasks[].failure_budget": "The share of runs that may fail in the long run, by "
    "which the burn rate is reckoned. One value for both severities.",
    "objectives.queues": "Rules for queues. A name without wildcards is a queue that is known and "
    "polled from the start, as in `queues.watch`. A dead-letter queue has objectives only from a "
    "rule with its whole name.",
    "objectives.queues[].match": "Glob on the queue's name.",
    "objectives.queues[].severity": "The severity of the values of this rule that name none.",
    "objectives.queues[].length": "How many messages may wait.",
    "objectives.queues[].age_seconds": "How long the oldest message may have waited.",
    "objectives.queues[].workers": "How many workers must consume the queue at least.",
}

DEFAULTS = {
    schema.TaskObjectives: objectives.DEFAULT_TASKS,
    schema.QueueObjectives: objectives.DEFAULT_QUEUES,
}
TYPES = {
    thresholds.Ratio: "share",
    thresholds.Budget: "share",
    thresholds.Duration: "duration",
    thresholds.Length: "whole number",
    thresholds.Workers: "whole number",
    thresholds.Runs: "whole number",
}


def default(kind: Any, key: str) -> str:
    """Write the objective that applies where no rule sets the key."""
    threshold = objectives.threshold(DEFAULTS[kind], key)
    if threshold is None:
        return "none"
    if not isinstance(threshold.written, dict):
        return f"`{threshold.written}`"
    return f"`{{{', '.join(f'{name}: {value}' for name, value in threshold.written.items())}}}`"
