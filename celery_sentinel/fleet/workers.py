"""Which workers are alive, judged by when we last heard them and by their goodbyes."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from celery_sentinel.fleet import labels
from celery_sentinel.fleet.worker import State, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from celery_sentinel import events

LONGEST_INTERVAL = 3600.0
LAG_WINDOW = 30.0  # seconds
PIDS_REMEMBERED = 8
MAX_COUNT = 2**63


class WorkerTable:
    """Every worker heard of, at most ``limit``; the ones over it share one nameless record.

    ``on_lost`` and ``on_idle`` are told of a worker whose running tasks need closing.
    """

    def __init__(
        self,
        *,
        limit: int,
        forget_after: float,
        on_lost: Callable[[Worker], None],
        on_idle: Callable[[Worker, float], None],
    ) -> None:
        self.limit = limit
        self.forget_after = forget_after
        self.overflow = 0
        self.lost = 0
        self.by_hostname: dict[str, Worker] = {}
        self._on_lost = on_lost
        self._on_idle = on_idle
        self._overflowed = Worker(labels.OTHER)
        self._lags: deque[tuple[float, float]] = deque()

    def __iter__(self) -> Iterator[Worker]:
        return iter(self.by_hostname.values())

    def find(self, hostname: str) -> Worker:
        """Return the worker of that node name, made at its first mention."""
        return self.by_hostname.get(hostname) or self._make(hostname)

    def _make(self, hostname: str) -> Worker:
        hostname = labels.clean(hostname)
        if not hostname:
            return self._overflowed
        if hostname in self.by_hostname:
            return self.by_hostname[hostname]
        if len(self.by_hostname) >= self.limit:
            self.overflow += 1
            self._overflowed.running.clear()
            return self._overflowed
        worker = self.by_hostname[hostname] = Worker(hostname)
        return worker

    def heartbeat(self, event: events.Event, now: float, wall: float) -> None:
        """Apply ``worker-heartbeat``: monotonic ``now`` and epoch ``wall`` are its receipt."""
        worker = self.find(event.hostname)
        if worker is self._overflowed or not self._newest(worker, event):
            return
        self._note_pid(worker, event, wall)
        self._heard(worker, event, now, wall)
        worker.heartbeat_at = wall
        if event.processed is None:
            return  # the answer to the control command ``heartbeat``: it says no more than "alive"
        self._note_progress(worker, event.processed)
        if event.freq is not None and 0 < event.freq <= LONGEST_INTERVAL:
            worker.interval = event.freq
        active = event.active
        worker.active = active if active is not None and 0 <= active < MAX_COUNT else None
        if event.loadavg is not None and len(event.loadavg) == 3:  # noqa: PLR2004 -- 1, 5, 15 min
            worker.loadavg = (event.loadavg[0], event.loadavg[1], event.loadavg[2])
        self._note_idleness(worker, now)

    def online(self, event: events.Event, now: float, wall: float) -> None:
        """Apply ``worker-online``."""
        worker = self.find(event.hostname)
        if worker is self._overflowed or not self._newest(worker, event):
            return
        before = worker.processed_by_pid.get(event.pid, 0)
        if event.pid == worker.pid and event.processed is not None and event.processed < before:
            self._restarted(worker, event, wall)  # a container: every process has the same pid
        self._note_pid(worker, event, wall)
        worker.announced_at = event.timestamp
        worker.started_at = event.timestamp or wall
        self._heard(worker, event, now, wall)
        if event.processed is not None:
            self._note_progress(worker, event.processed)

    def offline(self, event: events.Event, now: float) -> None:
        """Apply ``worker-offline``, unless the worker has been heard since it was written.

        After a broker restart a worker sends the goodbye it had buffered, old timestamp and
        all, just before it says hello again.
        """
        worker = self.find(event.hostname)
        if worker is self._overflowed or event.pid != (worker.pid or event.pid):
            return
        if worker.announced_at is not None and event.timestamp < worker.announced_at:
            return
        worker.state = State.OFFLINE
        worker.offline_at = event.timestamp
        worker.heard = now
        worker.active = None

    def _newest(self, worker: Worker, event: events.Event) -> bool:
        """Tell whether an event is newer than the goodbye of the same process."""
        return (
            worker.offline_at is None
            or event.pid != worker.pid
            or event.timestamp > worker.offline_at
        )

    def _heard(self, worker: Worker, event: events.Event, now: float, wall: float) -> None:
        worker.heard = now
        worker.state = State.UP
        worker.offline_at = None
        worker.sw_ver = labels.clean(event.sw_ver) if event.sw_ver else worker.sw_ver
        worker.sw_sys = labels.clean(event.sw_sys) if event.sw_sys else worker.sw_sys
        if event.timestamp > 0:
            delay = wall - event.timestamp
            worker.skews.append(delay)
            self._lags.append((now, delay - min(worker.skews)))

    def _note_pid(self, worker: Worker, event: events.Event, wall: float) -> None:
        """Tell a restart (a new pid) from two workers that share a node name (pids alternate)."""
        if event.pid is None or event.pid == worker.pid or not 0 <= event.pid < MAX_COUNT:
            return
        if worker.pid is not None:
            if event.pid in worker.processed_by_pid:
                worker.duplicate = True
            else:
                self._restarted(worker, event, wall)
            worker.skews.clear()
        worker.pid = event.pid
        while len(worker.processed_by_pid) >= PIDS_REMEMBERED:
            del worker.processed_by_pid[next(iter(worker.processed_by_pid))]
        worker.processed_by_pid.setdefault(event.pid, 0)

    def _restarted(self, worker: Worker, event: events.Event, wall: float) -> None:
        worker.restarts += 1
        worker.duplicate = False
        worker.started_at = event.timestamp or wall
        worker.events_enabled = None
        worker.unexplained_progress = False
        worker.processed_by_pid[event.pid] = 0
        self._on_lost(worker)

    def _note_progress(self, worker: Worker, processed: int) -> None:
        """Add what the process started since its last heartbeat; judge whether it sends events."""
        if not 0 <= processed < MAX_COUNT:
            return
        before = worker.processed_by_pid.get(worker.pid, 0)
        known = worker.processed is not None
        worker.processed = (worker.processed or 0) + max(0, processed - before)
        worker.processed_by_pid[worker.pid] = processed
        if worker.task_heard > worker.task_heard_at_progress:
            worker.events_enabled = True
            worker.unexplained_progress = False
        elif worker.unexplained_progress:
            worker.events_enabled = False
        elif known and processed > before:
            worker.unexplained_progress = True  # its events may be right behind this heartbeat
        worker.task_heard_at_progress = worker.task_heard

    def _note_idleness(self, worker: Worker, now: float) -> None:
        """Two idle heartbeats in a row: what seemed to run before the first has ended unheard."""
        if worker.active != 0:
            worker.idle_since = None
        elif worker.idle_since is None:
            worker.idle_since = now
        elif worker.running:
            self._on_idle(worker, worker.idle_since)

    def tick(self, now: float, *, listening: bool) -> None:
        """Judge the silent and forget the long gone; call at least once a second.

        While we are not ``listening`` to the broker, silence is ours and proves nothing.
        """
        for worker in list(self.by_hostname.values()):
            silence = now - worker.last_heard
            if silence > self.forget_after:
                self._on_lost(worker)
                del self.by_hostname[worker.hostname]
            elif silence > worker.patience and worker.state in {State.UP, State.UNHEARD}:
                self._fell_silent(worker, listening=listening)
        while self._lags and now - self._lags[0][0] > LAG_WINDOW:
            self._lags.popleft()

    def _fell_silent(self, worker: Worker, *, listening: bool) -> None:
        if not listening:
            worker.state = State.UNHEARD
        elif worker.heartbeat_at is not None:
            worker.state = State.LOST
            worker.active = None
            self.lost += 1
            self._on_lost(worker)

    def excuse(self, now: float) -> None:
        """Start the silence of all afresh, since it was we who could not hear them."""
        for worker in self.by_hostname.values():
            if worker.state in {State.UP, State.UNHEARD}:
                worker.heard = now

    def lag(self) -> float | None:
        """Worst heartbeat delay in the last 30 s less the worker's skew; None when none came."""
        return max((lag for _, lag in self._lags), default=None)
