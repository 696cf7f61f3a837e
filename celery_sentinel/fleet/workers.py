"""Which workers are alive, judged by when we last heard them and by their goodbyes."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from celery_sentinel.fleet import (
    eviction_of_workers,
    labels,
    missed_events,
    timestamps,
    worker_restarts,
    worker_verdict,
)
from celery_sentinel.fleet.worker import State, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from celery_sentinel.events.event import Event

LONGEST_INTERVAL = 3600.0
LAG_WINDOW = 30.0  # seconds
GOODBYE_MEMORY = 3600.0  # seconds; longer than any stale event takes, shorter than a day's fleet
PROOF = 0.4  # of its patience; the broker must have been there for so long of a worker's silence
RETURN_PATIENCE = 60.0  # seconds; a worker waits up to half a minute between two attempts
BACK_AFTER = 30.0  # seconds; who has come back may lose its connection once more at first
RENEWED_PATIENCE = 10.0  # seconds; whoever beats is heard on a new subscription at once


class _Workers(dict[str, Worker]):
    """Workers by node name; to look up one that is not there makes it."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[str], Worker]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, hostname: str) -> Worker:
        return self._make(hostname)


class WorkerTable:
    """Every worker heard of, at most ``limit``; the ones over it share one nameless record.

    ``overflowed`` is that record. ``on_…`` are told of one whose running tasks need closing.
    """

    def __init__(
        self,
        *,
        limit: int,
        forget_after: float,
        shutdown_timeout: float,
        audit: missed_events.MissedEvents,
        on_lost: Callable[[Worker], None],
        on_idle: Callable[[Worker, float], None],
        on_left: Callable[[Worker], None],
        on_given_up: Callable[[Worker], None],
    ) -> None:
        self.limit = limit
        self.forget_after = forget_after
        self.shutdown_timeout = shutdown_timeout
        self.overflow = 0
        self.lost = 0
        self.by_hostname = _Workers(self._make)
        self.idle = eviction_of_workers.IdleWorkers(self.by_hostname, limit)
        self._missed_events = audit
        self._processes = worker_restarts.Processes(audit, on_end=self._ended)
        self._on_lost = on_lost
        self._on_idle = on_idle
        self._on_left = on_left
        self._on_given_up = on_given_up
        self.overflowed = Worker(labels.OTHER)
        self.resubscribed_at = float("-inf")
        self._returning: frozenset[str] = frozenset()  # who was known before that
        self._renewed_at = float("-inf")  # a subscription amid a silence that may be ours
        self._lags: deque[tuple[float, float]] = deque()

    def __iter__(self) -> Iterator[Worker]:
        return iter(self.by_hostname.values())

    def find(self, hostname: str) -> Worker:
        """Return the worker of that node name, made at its first mention."""
        return self.by_hostname[hostname]

    def _make(self, hostname: str) -> Worker:
        hostname = labels.clean(hostname)
        if not hostname:
            return self.overflowed
        if hostname in self.by_hostname:
            return self.by_hostname[hostname]
        if len(self.by_hostname) >= self.limit and not self.idle.make_room(self.overflowed):
            self.overflow += 1
            return self.overflowed
        worker = self.by_hostname[hostname] = Worker(hostname)
        return worker

    def heartbeat(self, event: Event, now: float, wall: float) -> None:
        """Apply ``worker-heartbeat``: monotonic ``now`` and epoch ``wall`` are its receipt."""
        worker = self.find(event.hostname)
        if worker is self.overflowed or not worker_restarts.is_newest(worker, event, now, wall):
            return
        self._processes.note_pid(worker, event, resubscribed_at=self.resubscribed_at)
        self._heard(worker, event, now, wall)
        if event.processed is None:
            return  # the answer to the control command ``heartbeat``: it says no more than "alive"
        self._note_vitals(worker, event, event.processed, now)
        self._note_idleness(worker, now)

    def online(self, event: Event, now: float, wall: float) -> None:
        """Apply ``worker-online``."""
        worker = self.find(event.hostname)
        if worker is self.overflowed or not worker_restarts.is_newest(worker, event, now, wall):
            return
        if worker_restarts.is_fresh(worker, event, resubscribed_at=self.resubscribed_at):
            # A container, where pids are few.
            self._processes.restarted(worker, event.pid, resubscribed_at=self.resubscribed_at)
        self._processes.note_pid(worker, event, resubscribed_at=self.resubscribed_at)
        stamp = timestamps.sane(event.timestamp, wall)
        worker.announced_at = stamp
        if not event.processed:  # else it has been there all along and found its broker again
            worker.started_at = stamp or wall
        self._heard(worker, event, now, wall)
        if event.processed is not None:
            self._note_vitals(worker, event, event.processed, now)

    def offline(self, event: Event, now: float, wall: float) -> None:
        """Apply ``worker-offline``, unless the worker has been heard since it was written.

        After a broker restart a worker sends the goodbye it had buffered, old timestamp and
        all, just before it says hello again.
        """
        worker = self.find(event.hostname)
        if worker is self.overflowed:
            return
        worker.duplicate = False  # until its namesake is heard beside it again
        stamp = timestamps.sane(event.timestamp, wall)
        announced = worker.announced_at
        stale = announced is not None and stamp is not None and stamp < announced
        if stale or event.pid != (worker.pid or event.pid):
            return
        if event.processed is not None:
            self._missed_events.beat(worker, event, event.processed, now)
        worker.state = State.OFFLINE
        worker.offline_at = wall if stamp is None else stamp
        worker.left_at = worker.heard = now
        worker.left_active = event.active
        worker.active = None
        worker.idle_at = now if event.active == 0 else None

    def _heard(self, worker: Worker, event: Event, now: float, wall: float) -> None:
        worker.heard = now
        worker.heartbeat_at = wall
        worker.state = State.UP
        worker.offline_at = worker.left_at = worker.left_active = None
        if worker.asked_in_vain:
            worker.asked_in_vain = False
            worker.ignored += 1
        worker.clock = event.clock if event.clock is not None else worker.clock
        worker.sw_ver = labels.clean(event.sw_ver) if event.sw_ver else worker.sw_ver
        worker.sw_sys = labels.clean(event.sw_sys) if event.sw_sys else worker.sw_sys
        if timestamps.sane(event.timestamp, wall) is not None:
            delay = wall - event.timestamp
            worker.skews.append(delay)
            self._note_lag(int(now), delay - min(worker.skews))

    def _note_vitals(self, worker: Worker, event: Event, processed: int, now: float) -> None:
        self._processes.note_progress(worker, processed, now, resubscribed_at=self.resubscribed_at)
        self._missed_events.beat(worker, event, processed, now)
        worker.progress_at = now
        if event.freq is not None and 0 < event.freq <= LONGEST_INTERVAL:
            worker.interval = event.freq
        active = event.active
        worker.active = (
            active if active is not None and 0 <= active < worker_restarts.MAX_COUNT else None
        )
        if active:
            worker.beats_at_work = True
        if event.loadavg is not None and len(event.loadavg) == 3:  # noqa: PLR2004 -- 1, 5, 15 min
            worker.loadavg = (event.loadavg[0], event.loadavg[1], event.loadavg[2])

    def _note_lag(self, second: int, lag: float) -> None:
        """Keep the worst lag of each second."""
        if self._lags and self._lags[-1][0] == second:
            lag = max(lag, self._lags.pop()[1])
        self._lags.append((second, lag))

    def _note_idleness(self, worker: Worker, now: float) -> None:
        """Two idle heartbeats in a row: what seemed to run before the first has ended unheard."""
        if worker.active != 0:
            worker.idle_at = None
            return
        if worker.idle_at is not None and worker.running and not worker.duplicate:
            self._on_idle(worker, worker.idle_at)
        worker.idle_at = now

    def _ended(self, worker: Worker) -> None:
        """Close what ran in a process that is no more."""
        self._left_idle(worker)
        self._on_lost(worker)

    def _left_idle(self, worker: Worker) -> None:
        """Have closed what had ended unheard when a worker said goodbye and ran nothing."""
        if worker.state is State.OFFLINE and worker.idle_at is not None and worker.running:
            self._on_left(worker)

    def tick(self, now: float, *, listening: bool, alive_at: float) -> None:
        """Judge the silent and forget the long gone; call at least once a second.

        While we are not ``listening`` to the broker, silence is ours and proves nothing; and
        as little if the broker itself, last heard ``alive_at``, fell silent with the worker.
        """
        for worker in list(self.by_hostname.values()):
            quiet = now - worker.last_heard
            if quiet > missed_events.SETTLED_AFTER and worker.state is State.OFFLINE:
                self._missed_events.end_all(worker)
                self._left_idle(worker)
                self._give_up(worker, quiet, listening=listening)
            elif worker.state is State.LOST:
                self._missed_events.settle(worker)
                if worker.running and worker.is_gone:
                    self._on_lost(worker)
            if worker.state is State.OFFLINE and not worker.running and quiet > GOODBYE_MEMORY:
                del self.by_hostname[worker.hostname]
            elif now - worker.last_seen > self.forget_after:
                self._on_lost(worker)
                del self.by_hostname[worker.hostname]
            elif quiet > worker.patience and worker.state in {State.UP, State.UNHEARD}:
                proven = alive_at - worker.last_heard >= PROOF * worker.patience
                theirs = listening and proven and self._had_time(worker, now)
                self._fell_silent(worker, ours=not theirs)
        self.idle.look(now)
        self._missed_events.trim(self)
        while self._lags and now - self._lags[0][0] > LAG_WINDOW:
            self._lags.popleft()

    def _fell_silent(self, worker: Worker, *, ours: bool) -> None:
        """Say of a worker that is silent what may be said; ``ours`` if the silence may be."""
        worker.responding = worker.wedged = None
        worker.unanswered = 0
        facts = worker.silence(ours=ours)
        found = worker_verdict.of(facts)
        worker.state = State.LOST if found.lost else State.UNHEARD
        if found.lost or (worker.may_be_working and not ours):
            worker.active = None  # it may have begun something since
        if found.lost:
            worker.worked = worker.worked or bool(worker.running)
            self.lost += 1
            if worker_verdict.tasks_lost(facts):
                self._on_lost(worker)

    def _had_time(self, worker: Worker, now: float) -> bool:
        """Tell whether a worker that is silent since a gap has had its time to come back."""
        if now - self._renewed_at <= RENEWED_PATIENCE and worker.last_heard < self._renewed_at:
            return False
        if now - self.resubscribed_at > RETURN_PATIENCE:
            return True
        if worker.hostname in self._returning:
            return worker.last_heard - self.resubscribed_at > BACK_AFTER
        return worker.last_heard >= self.resubscribed_at

    def _give_up(self, worker: Worker, quiet: float, *, listening: bool) -> None:
        """Give up what a worker ran when it said goodbye, once it has had its time to end that.

        The ends may have been missed where our stream has broken since.
        """
        heard_on = listening and worker.last_heard >= self.resubscribed_at
        if heard_on and worker.running and worker.left_active and quiet > self.shutdown_timeout:
            self._on_given_up(worker)

    def resubscribed(self, now: float) -> None:
        """Give all time to return: the broker was away for them as it was for us."""
        self.resubscribed_at = now
        self._returning = frozenset(self.by_hostname)

    def forget_delays(self) -> None:
        """Forget how late heartbeats came: they were measured with a clock that has been set."""
        self._lags.clear()
        for worker in self:
            worker.skews.clear()

    def renewed(self, now: float) -> None:
        """Give whoever was silent until now a moment to be heard: it may have been our silence."""
        self._renewed_at = now

    def excuse(self, now: float, seconds: float) -> None:
        """Take back so much of everybody's silence: for that long it was we who were deaf."""
        for worker in self.by_hostname.values():
            worker.heard = min(now, worker.last_heard + seconds)

    def lag(self) -> float | None:
        """Worst heartbeat delay in the last 30 s less the worker's skew; None when none came."""
        return max((lag for _, lag in self._lags), default=None)
