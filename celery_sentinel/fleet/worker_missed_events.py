"""What we missed of a process: the tasks it says it started against the starts we heard.

Each heartbeat carries ``processed``, the tasks started since the process began, and a Lamport
clock that orders it among the other events of the process. Between two heartbeats as many
task-started must be heard as ``processed`` grew; what lacks was lost.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

# Heartbeats for which a start may be under way still: workers write events in small batches.
HELD = 3
AGREEING = 3  # deficits in a row of which the least counts
MAX_STARTS = 200_000  # remembered at once; a process with more of them has stopped beating
MAX_ALL_STARTS = 1_000_000  # the same, of all processes
MAX_WAITING = 1000  # heartbeats
MAX_POINTS = 64  # not folded; there are more only of a process that is not judged for long


class Eventless(NamedTuple):
    """A task name that no event has carried lately, and how often the process started it.

    ``ever``: an event has carried it once.
    """

    name: str
    total: int
    ever: bool


class _Point(NamedTuple):
    """How many tasks were ``started`` when the process's clock stood at ``clock``.

    ``slack``: how many of them, at most, may have been counted before it and written behind it.
    ``excuse``: how many send no events by design; None where only a poll can tell. ``at`` is
    monotonic seconds of our own.
    """

    clock: int
    started: int
    at: float
    slack: int
    excuse: int | None = None


_CLOCK = attrgetter("clock")


class Balance(NamedTuple):
    """What must be kept of a ledger for its account to go on after a restart of ours."""

    clock: int
    started: int
    folded: int
    folded_to: int
    starts: list[int]
    totals: dict[str, int] | None
    excuses: dict[str, int]


class Ledger:
    """The account of one process, from a first heartbeat on.

    ``starts`` takes the clock of each task-started, in any order; the event path appends to it
    directly.
    """

    __slots__ = (
        "_agreed",
        "_base",
        "_behind",
        "_deficits",
        "_excuse",
        "_excuses",
        "_folded",
        "_folded_to",
        "_points",
        "_totals",
        "_waiting",
        "starts",
    )

    def __init__(self) -> None:
        self.starts: list[int | None] = []
        self._base: _Point | None = None
        self._folded = self._folded_to = 0  # starts since the base, up to which clock
        self._points: list[_Point] = []  # by clock, their starts not counted yet
        self._waiting: deque[tuple[_Point, int]] = deque(maxlen=MAX_WAITING)
        self._deficits: deque[int] = deque(maxlen=AGREEING)
        self._agreed = 0
        self._behind = 0  # starts that the base counted and that were written behind it
        self._excuse = 0
        self._excuses: dict[str, int] = {}
        self._totals: dict[str, int] | None = None  # of eventless names, where their excuse is 0

    @property
    def kept(self) -> int:
        """How many names are remembered."""
        return len(self._totals) if self._totals else 0

    @property
    def waiting(self) -> int:
        """How many heartbeats and answers have not been judged yet."""
        return len(self._points) + len(self._waiting)

    def reset(self) -> None:
        """Start afresh with the next heartbeat: what comes does not add up with what was."""
        self.starts.clear()
        self._begin(None)

    def beat(self, clock: int | None, started: int, now: float, *, slack: int = 0) -> None:
        """Take a heartbeat received at monotonic ``now``."""
        if clock is None:
            return
        if len(self.starts) > MAX_STARTS:
            self.reset()
        point = _Point(clock, started, now, slack)
        if self._base is None:
            self._begin(point)
        else:
            self._add(point)

    def answered(
        self,
        clock: int,
        started: int,
        eventless: Collection[Eventless],
        now: float,
        *,
        slack: int = 0,
    ) -> None:
        """Take an answer to a poll: the count, and how much of it is of eventless names.

        Of those none was lost. Where it cannot be told how many of them were started since the
        account began, it begins anew.
        """
        if self._base is None:
            return
        before, earlier = self._totals, self._excuses
        excuses: dict[str, int] = {}
        self._totals = {}
        for name, total, ever in eventless:
            since = (before or {}).get(name, total if ever else 0)
            self._totals[name] = since
            if total > since:
                excuses[name] = total - since
        if (before is None and eventless) or earlier.keys() - excuses.keys():
            self._begin(_Point(clock, started, now, slack))
            self._totals = {one.name: one.total for one in eventless}
            return
        self._excuses = excuses
        self._add(_Point(clock, started, now, slack, sum(excuses.values())))

    def judge(self, now: float, *, patience: float) -> int:
        """Return how many more were lost than at the last call.

        Heartbeats wait for the next answer to a poll, since tasks that send no events may be
        why starts lack; where no answer comes within ``patience`` seconds they are not.
        """
        agreed = self._agreed
        while len(self._points) > HELD:
            self._fold(self._points.pop(0))
        while self._waiting and now - self._waiting[0][0].at > patience:
            self._weigh(*self._waiting.popleft())
        return self._agreed - agreed

    def settle(self) -> int:
        """Return how many more were lost, now that nothing is under way any more."""
        agreed = self._agreed
        points, self._points = self._points, []
        for point in points:
            self._fold(point)
        while self._waiting:
            self._weigh(*self._waiting.popleft())
        if self._deficits:
            self._agreed = max(self._agreed, min(self._deficits))
        return self._agreed - agreed

    def balance(self) -> Balance | None:
        """Return what to keep over a restart; None while there is no account."""
        if self._base is None:
            return None
        return Balance(
            clock=self._base.clock,
            # What was agreed to be missed has been told already.
            started=self._base.started + self._agreed - self._behind,
            folded=self._folded,
            folded_to=self._folded_to,
            starts=[clock for clock in self.starts if clock is not None],
            totals=self._totals,
            excuses=self._excuses,
        )

    def resume(self, balance: Balance) -> None:
        """Go on from a balance; what was started since is heard of yet, or missed."""
        self._begin(_Point(balance.clock, balance.started, 0.0, 0))
        self._folded, self._folded_to = balance.folded, balance.folded_to
        self.starts[:] = balance.starts
        self._totals, self._excuses = balance.totals, balance.excuses
        self._excuse = sum(balance.excuses.values())

    def _begin(self, base: _Point | None) -> None:
        self._base = base
        self._folded, self._folded_to = 0, base.clock if base else 0
        self._points.clear()
        self._waiting.clear()
        self._deficits.clear()
        self._agreed = self._behind = self._excuse = 0
        self._excuses = {}
        self._totals = None

    def _add(self, point: _Point) -> None:
        """Put a point in its place: answers and heartbeats come by different ways.

        Of too many every second of the older ones goes. Each tells all since the base, so what
        the others say stays exact.
        """
        if point.clock > self._folded_to:
            place = bisect_left(self._points, point.clock, key=_CLOCK)
            self._points.insert(place, point)
            if len(self._points) > MAX_POINTS:
                del self._points[: -2 * HELD : 2]

    def _fold(self, point: _Point) -> None:
        """Count the starts up to a point, all of which must have come by now."""
        base = self._base
        if base is None:
            return
        clocks = sorted(clock for clock in self.starts if clock is not None)
        first, last = bisect_left(clocks, base.clock), bisect_left(clocks, point.clock)
        self.starts[:] = clocks[last:]
        self._folded += last - first
        self._folded_to = point.clock
        deficit = point.started - base.started - self._folded
        self._behind = max(self._behind, -deficit)
        if point.excuse is None:
            self._waiting.append((point, deficit))
            return
        if point.excuse == self._excuse:
            for waiting in self._waiting:
                self._weigh(*waiting)
            self._waiting.clear()
            return
        self._waiting.clear()  # where the excuse grew, nobody knows between which of them
        self._excuse = point.excuse
        self._weigh(point, deficit)

    def _weigh(self, point: _Point, deficit: int) -> None:
        self._deficits.append(deficit + self._behind - self._excuse - point.slack)
        if len(self._deficits) == AGREEING:
            self._agreed = max(self._agreed, min(self._deficits))
