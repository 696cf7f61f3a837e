"""Exceptions that no task dies of any more make room for those that tasks die of now."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from celery_sentinel.fleet import label_turnover

if TYPE_CHECKING:
    from celery_sentinel.fleet.task_series import SeriesTable, TaskSeries

Known = dict[str, tuple[int, float]]  # how often, and since when (monotonic) no more than that


class IdleExceptions:
    """Remembers when each exception was last heard of, of series in which there is no room.

    ``after`` seconds of silence make one idle.
    """

    def __init__(self, table: SeriesTable, *, after: float) -> None:
        self.turnover = label_turnover.LabelTurnover(table.limit_of("series"))
        self._table = table
        self._after = after
        self._known: dict[TaskSeries, Known] = {}
        self._idle: dict[TaskSeries, list[str]] = {}

    def look(self, one: TaskSeries, now: float) -> None:
        """Note what has grown in a series since the last look."""
        admitted = one.exceptions
        if admitted is None or not (admitted.full or self._table.exceptions_full):
            self.forget(one)
            return
        counts, before = _counts(one), self._known.get(one, {})
        known: Known = {}
        for name in admitted:
            count = counts[name]
            told, since = before.get(name, (-1, now))
            known[name] = (count, since if told == count else now)
        self._known[one] = known
        idle = [name for name in known if known[name][1] <= now - self._after]
        self._idle[one] = sorted(idle, key=lambda name: known[name][1])[::-1]

    def forget(self, one: TaskSeries) -> None:
        """Drop what is known of a series: it has gone, or has room."""
        self._known.pop(one, None)
        self._idle.pop(one, None)

    def make_room(self, one: TaskSeries, now: float) -> bool:
        """Take out the longest idle exception of a series; of any, if all have too many."""
        if one.exceptions is not None and one.exceptions.full:
            return self._take(one, now)
        while self._idle:
            other = next(iter(self._idle))
            if self._take(other, now):
                return True
            if self._idle[other]:
                return False  # none may go at present
            del self._idle[other]
        return False

    def _take(self, one: TaskSeries, now: float) -> bool:
        idle = self._idle.get(one)
        while idle:
            name = idle[-1]
            if _counts(one)[name] == self._known[one][name][0]:
                if not self.turnover.take(now):
                    return False
                self._table.drop_exception(one, idle.pop())
                return True
            idle.pop()
        return False


def _counts(one: TaskSeries) -> Counter[str]:
    counts: Counter[str] = Counter(one.retried)
    for (name, _), count in one.failed.items():
        counts[name] += count
    return counts
