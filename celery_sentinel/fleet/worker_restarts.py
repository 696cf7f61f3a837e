"""The processes behind a node name: which of them speaks, its restarts, and what it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.fleet import timestamps
from celery_sentinel.fleet.worker import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from celery_sentinel.events.event import Event
    from celery_sentinel.fleet import missed_events
    from celery_sentinel.fleet.worker import Worker

PIDS_REMEMBERED = 8
MAX_COUNT = 2**63
# What a process can have started; more is believed once a second heartbeat says so.
MOST_AT_FIRST = 10**10
MOST_A_SECOND = 10**5
# What arrives so long after a goodbye was written after it, whatever its sender's clock says.
AFTERWARDS = 3.0  # seconds


class Processes:
    """Keeps a worker's count of tasks over its restarts.

    ``on_end`` is told of a worker whose process has ended, before anything of the new one.
    """

    def __init__(
        self, audit: missed_events.MissedEvents, *, on_end: Callable[[Worker], None]
    ) -> None:
        self._missed_events = audit
        self._on_end = on_end

    def note_pid(self, worker: Worker, event: Event, *, resubscribed_at: float) -> None:
        """Tell a restart (a new pid) from two workers that share a node name (pids alternate)."""
        pid = event.pid
        if pid is None or pid == worker.pid or not 0 <= pid < MAX_COUNT:
            return
        if pid in worker.processed_by_pid:
            worker.duplicate = worker.state is not State.OFFLINE
            self._take_back(worker, pid)
        elif worker.pid is None:
            worker.processed_by_pid[pid] = 0
        else:
            before, crashes = worker.pid, worker.crashes
            self.restarted(worker, pid, resubscribed_at=resubscribed_at)
            worker.replaced = (before, worker.crashes - crashes)
        worker.pid = pid
        worker.skews.clear()

    def _take_back(self, worker: Worker, pid: int) -> None:
        """Take back a crash: the process that seemed to have been replaced is heard again."""
        replaced, worker.replaced = worker.replaced, None
        if worker.duplicate and replaced is not None and replaced[0] == pid:
            worker.crashes -= replaced[1]

    def restarted(self, worker: Worker, pid: int | None, *, resubscribed_at: float) -> None:
        """Note a restart that the first event of the new process tells.

        A crash is one before which we heard the old process, to its end, and no goodbye: a goodbye
        may have been missed where our stream has broken since, until ``resubscribed_at``.
        """
        heard_on = worker.state is State.UP and worker.heard >= resubscribed_at
        worker.crashes += heard_on or worker.state is State.LOST
        self._begin(worker, pid)

    def _begin(self, worker: Worker, pid: int | None) -> None:
        """Begin the count of a new process; when it started, only its worker-online can tell."""
        worker.restarts += 1
        worker.replaced = None
        self._missed_events.end(worker, worker.pid)
        worker.duplicate = worker.fell_back = False
        worker.started_at = None
        worker.events_enabled = None
        worker.unexplained_progress = False
        worker.worked = False
        worker.pid = pid
        worker.skews.clear()
        worker.processed_by_pid[pid] = 0
        worker.clear_answers()
        if len(worker.processed_by_pid) > PIDS_REMEMBERED:
            oldest = next(iter(worker.processed_by_pid))
            del worker.processed_by_pid[oldest]
            self._missed_events.end(worker, oldest)
        self._on_end(worker)

    def _fell_back(self, worker: Worker) -> bool:
        """Tell whether a count that is lower than before means that its process is a new one.

        Not at the first time: of two workers with one name and one pid (containers) the counts
        alternate, and the next will be high again.
        """
        if worker.fell_back and not worker.duplicate:
            self._begin(worker, worker.pid)  # its hello was missed, so a goodbye may have been
            return True
        worker.fell_back = True
        return False

    def note_progress(
        self, worker: Worker, processed: int, now: float, *, resubscribed_at: float
    ) -> None:
        """Add what the process started since its last heartbeat; judge whether it sends events.

        What it started while our stream was broken, until ``resubscribed_at``, proves nothing.
        """
        if not 0 <= processed < MAX_COUNT or _is_doubtful(worker, processed, now):
            return
        before = worker.processed_by_pid.get(worker.pid, 0)
        if processed < before:
            if not self._fell_back(worker):
                return
            before = 0
        elif worker.fell_back:
            worker.duplicate, worker.fell_back = True, False
        known = worker.processed is not None
        if known and processed > before:
            worker.progressed_at = now
        worker.processed = (worker.processed or 0) + processed - before
        worker.processed_by_pid[worker.pid] = processed
        if worker.task_heard:
            worker.events_enabled = True
            worker.unexplained_progress = False
        elif worker.unexplained_progress:
            # One that did send events is believed off only when it goes on without any.
            if processed > before or not worker.events_enabled:
                worker.events_enabled = False
        elif known and processed > before and worker.progress_at > resubscribed_at:
            worker.unexplained_progress = True  # its events may be right behind this heartbeat
        worker.task_heard = 0.0  # not a time to compare with: what comes next may be as old


def is_fresh(worker: Worker, event: Event, *, resubscribed_at: float) -> bool:
    """Tell whether the hello of a pid that is known comes from another process all the same.

    Its count says so if it is lower than one before, or 0 though the process has started a task;
    so does its Lamport clock if that fell back, which it does not where neighbours lend it theirs.
    And no process says hello twice but after a break, to which it has said goodbye.
    """
    before = worker.processed_by_pid.get(event.pid)
    if before is None or event.processed is None:
        return False
    started = event.pid == worker.pid and (worker.worked or bool(worker.running))
    if event.processed < before or (event.processed == 0 and started):
        return True
    if event.pid != worker.pid or worker.clock is None or event.clock is None:
        return False
    heard_on = worker.state is not State.OFFLINE and worker.heard >= resubscribed_at
    return event.clock < worker.clock or (heard_on and event.processed == 0)


def _is_doubtful(worker: Worker, processed: int, now: float) -> bool:
    """Tell whether a count is higher than can be, and said for the first time."""
    before = worker.processed_by_pid.get(worker.pid, 0)
    most = MOST_AT_FIRST
    if worker.processed is not None and worker.progress_at:
        most = min(most, before + MOST_A_SECOND * int(now - worker.progress_at + 10))
    doubted, worker.doubted = worker.doubted, processed if processed > most else None
    return processed > most and (doubted is None or not doubted <= processed <= doubted + most)


def is_newest(worker: Worker, event: Event, now: float, wall: float) -> bool:
    """Tell whether an event is newer than the goodbye of the same process.

    What comes well after it is, for the clock of a host may have been put right meanwhile.
    """
    if worker.offline_at is None or event.pid != worker.pid:
        return True
    if worker.left_at is not None and now - worker.left_at > AFTERWARDS:
        return True
    stamp = timestamps.sane(event.timestamp, wall)
    return stamp is not None and stamp > worker.offline_at
