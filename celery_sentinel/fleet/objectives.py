"""What is asked of each task and queue, worked out once for each name."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from celery_sentinel.config import objectives
from celery_sentinel.fleet import labels

if TYPE_CHECKING:
    from collections.abc import Iterable

    from celery_sentinel.config import schema

DEAD_LETTER = "dead_letter"


class Objective(NamedTuple):
    """One limit: ``key`` is that of the configuration, the value in seconds, counts or shares."""

    key: str
    severity: str
    value: float


Limits = tuple[Objective, ...]


class Objectives:
    """The objectives of one configuration; a reload makes another.

    Names must be label values: they are bounded, and so is what is remembered of them.
    """

    def __init__(self, config: schema.Config) -> None:
        self._rules = config.objectives
        self._tasks: dict[str, Limits] = {}
        self._queues: dict[tuple[str, str], Limits] = {}
        self._most = config.metrics.limits.names + config.metrics.limits.queues
        self.tasks_named = objectives.literals(config.objectives.tasks)

    @property
    def remembered(self) -> int:
        """How many names the objectives are remembered of."""
        return len(self._tasks) + len(self._queues)

    def of_task(self, name: str) -> Limits:
        """Return what is asked of a task; nothing of what stands for many tasks."""
        found = self._tasks.get(name)
        if found is None:
            many = name in {labels.UNKNOWN, labels.OTHER}
            applied = () if many else objectives.of_task(self._rules, name)
            self._make_room(self._tasks)
            found = self._tasks[name] = _limits(applied)
        return found

    def of_queue(self, name: str, role: str) -> Limits:
        """Return what is asked of a queue.

        A dead-letter queue has nobody who works on it, and messages stay: what is asked of other
        queues says nothing of it, unless a rule names it.
        """
        found = self._queues.get((name, role))
        if found is None:
            many = name in {labels.UNKNOWN, labels.OTHER}
            dead = role == DEAD_LETTER
            applied = () if many else objectives.of_queue(self._rules, name, by_name_only=dead)
            self._make_room(self._queues)
            found = self._queues[name, role] = _limits(applied)
        return found

    def _make_room(self, memo: dict) -> None:  # type: ignore[type-arg]
        """Forget everything rather than grow: queues come and go."""
        if len(memo) >= self._most:
            memo.clear()


def of(config: schema.Config, names: labels.LabelSet) -> Objectives:
    """Return the objectives; the tasks they name take their places before strangers do."""
    found = Objectives(config)
    for name in found.tasks_named:
        names.admit(name)
    return found


def queues_named(config: schema.Config) -> list[str]:
    """Return the queues that objectives call by their names."""
    return objectives.literals(config.objectives.queues)


def _limits(applied: Iterable[objectives.Applied]) -> Limits:
    return tuple(
        Objective(each.key, severity, value)
        for each in applied
        for severity, value in each.limits.items()
    )
