"""A limit that strangers have filled must not stay full: what is not heard of makes room."""

from __future__ import annotations

import operator
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from celery_sentinel.fleet import eviction_of_exceptions, label_turnover, labels
from celery_sentinel.fleet.task_series import CLOSED, STARTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from celery_sentinel.fleet.task_series import SeriesTable, TaskSeries

SLICE = 250  # series looked at in a tick: less than a millisecond
NAME, QUEUE, HOSTNAME, SERIES = KINDS = ("name", "queue_name", "hostname", "series")
_NEVER = float("-inf")
_MANY = frozenset({labels.UNKNOWN, labels.OTHER})

Label = str | tuple[str, ...]  # of a series all its labels


_Gathered = dict[Label, list["TaskSeries"] | None]  # by label; None: one of them is not idle


class _Idle(NamedTuple):
    """What may make room; ``last`` is when it was last heard of (monotonic)."""

    last: float
    label: Label
    series: list[TaskSeries]


class IdleSeries:
    """Looks at all series in turn, and takes out those longest unheard of where there is no room.

    A series is idle ``after`` seconds without an event, with no task in flight; a label when all
    its series are. Tasks that wait for an eta are given up after ``ttl`` seconds of silence. A
    label ``stays`` (told kind and label) for other reasons too, and so does a name that a worker
    has told in the last ``told_for`` seconds. ``on_gone`` is told of each series that goes. Who
    goes is found on ticks: an event that needs room takes what is ready.
    """

    def __init__(
        self,
        table: SeriesTable,
        *,
        after: float,
        ttl: float,
        told_for: float,
        stays: Callable[[str, str], bool],
        on_gone: Callable[[TaskSeries], None],
    ) -> None:
        self.exceptions = eviction_of_exceptions.IdleExceptions(table, after=after)
        self.turnovers = {
            kind: label_turnover.LabelTurnover(table.limit_of(kind)) for kind in KINDS
        }
        self.turnovers["exception"] = self.exceptions.turnover
        self._table = table
        self._after = after
        self._ttl = ttl
        self._told_for = told_for
        self._stays_for_others = stays
        self._on_gone = on_gone
        self._now = 0.0
        self._round: Iterator[TaskSeries] = iter(())
        self._gathered: dict[str, _Gathered] = {}
        self._idle: dict[str, list[_Idle]] = {}
        self._made: set[str] = set()  # labels of the series made in this round
        self._made_before: set[str] = set()
        self._told: dict[str, float] = {}  # names that workers ran, and when they said so
        table.on_full, table.on_made = self._make_room, self._made.update
        table.on_full_of_exceptions = self._make_room_for_exception

    # --- finding, on ticks ------------------------------------------------------------------

    def look(self, now: float) -> None:
        """Look at the next slice of series; call about twice a second."""
        self._now = now
        looked_at = 0
        for one in islice(self._round, SLICE):
            looked_at += 1
            count = told(one)
            if count != one.told:
                one.told, one.heard = count, now
            if one.exceptions is not None:
                self.exceptions.look(one, now)
            one.leaving = False
            if self._gathered:
                self._gather(one, now)
        if looked_at < SLICE:
            self._end_round()

    def _gather(self, one: TaskSeries, now: float) -> None:
        """Add a series to the idle of this round; its labels are idle if all their series are."""
        idle = one.heard <= now - self._after and not _is_in_flight(one)
        one.leaving = self._is_given_up(one)
        for kind, found in self._gathered.items():
            if kind != SERIES:
                label = one.labels[KINDS.index(kind)]
                if not idle:
                    found[label] = None
                elif (others := found.setdefault(label, [])) is not None:
                    others.append(one)
            elif idle:
                found[one.labels] = [one]

    def _is_given_up(self, one: TaskSeries) -> bool:
        """Tell whether all that holds a series are tasks that wait, unheard of for their ttl."""
        waiting = one.heard <= self._now - self._ttl and not one.in_flight[STARTED]
        return waiting and _is_in_flight(one) and not self._stays(NAME, one.name)

    def worked_on(self, names: Iterable[str]) -> None:
        """Note the names of the tasks that a worker says it has run, if names have no more room."""
        if self._table.names.full:
            self._told.update((name, self._now) for name in names if name in self._table.names)

    def _end_round(self) -> None:
        self._idle = {kind: self._find(kind, found) for kind, found in self._gathered.items()}
        self._told = {name: at for name, at in self._told.items() if self._is_told(name)}
        self._made_before, self._made = self._made, set()
        self._table.on_made = self._made.update
        self._gathered = {kind: {} for kind in KINDS if self._table.is_full(kind)}
        self._round = iter(list(self._table))

    def _find(self, kind: str, found: _Gathered) -> list[_Idle]:
        all_labels: Iterable[Label] = found if kind == SERIES else self._table.labels_of(kind)
        idle = []
        for label in all_labels:
            series = found.get(label, [])
            if series is not None:
                last = max([one.heard for one in series], default=_NEVER)
                idle.append(_Idle(last, label, series))
        idle.sort(key=_last)
        return idle[::-1]

    def _stays(self, kind: str, label: Label) -> bool:
        if isinstance(label, tuple):
            return _MANY.issuperset(label) or self._stays(NAME, label[0])
        return (kind == NAME and self._is_told(label)) or self._stays_for_others(kind, label)

    def _is_told(self, name: str) -> bool:
        return self._told.get(name, _NEVER) >= self._now - self._told_for

    # --- making room, on events -------------------------------------------------------------

    def _make_room(self, kind: str) -> bool:
        """Take out the longest idle; False if nothing is, or enough has gone in this hour."""
        idle = self._idle.get(kind)
        while idle:
            one = idle[-1]
            here = [series for series in one.series if series in self._table]
            if self._is_idle(kind, one.label, here):
                if not self.turnovers[kind].take(self._now):
                    return False
                for series in here:
                    self.exceptions.forget(series)
                    self._table.drop(series)
                    self._on_gone(series)
                if isinstance(one.label, str):
                    self._table.drop_label(kind, one.label)
                idle.pop()
                return True
            idle.pop()
        return False

    def _is_idle(self, kind: str, label: Label, here: list[TaskSeries]) -> bool:
        """Tell whether what was idle at the last round still is."""
        if label in self._made or label in self._made_before:
            return False
        if any(told(one) != one.told or _is_in_flight(one) for one in here):
            return False
        return not self._stays(kind, label)

    def _make_room_for_exception(self, one: TaskSeries) -> bool:
        return self.exceptions.make_room(one, self._now)


_last = operator.itemgetter(0)


def _is_in_flight(one: TaskSeries) -> bool:
    return any(one.in_flight[:CLOSED])


def told(one: TaskSeries) -> int:
    """Return how many events were about a series."""
    count = one.sent + one.received + one.started + one.succeeded + one.cancelled
    for counts in (one.failed, one.retried, one.rejected, one.revoked):
        if counts:
            count += counts.total()
    return count
