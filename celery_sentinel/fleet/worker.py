"""One worker as its events tell it."""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from typing import TYPE_CHECKING

from celery_sentinel.fleet import worker_verdict

if TYPE_CHECKING:
    from celery_sentinel.fleet import task_records, worker_missed_events

DEFAULT_INTERVAL = 2.0  # celery's heartbeat interval, until a worker announces its own
SILENCE_FLOOR = 10.0  # seconds
INTERVALS_TO_SILENCE = 3
SKEW_WINDOW = 64  # heartbeats
MOST_BELIEVED = 10_000  # tasks that run at once, by a heartbeat alone: anybody may send one
MOST_QUEUES = 1000  # of one worker; celery itself is happy with a few


class State(StrEnum):
    """UNHEARD: known only by its task events, or not heard since the stream came back."""

    UNHEARD = "unheard"
    UP = "up"
    LOST = "lost"
    OFFLINE = "offline"


class Worker:
    """One node name (``name@host``). Monotonic times are of our clock, in seconds."""

    __slots__ = (
        "active",
        "announced_at",
        "answered_at",
        "asked_in_vain",
        "beats_at_work",
        "clock",
        "concurrency",
        "consumed",
        "crashes",
        "doubted",
        "duplicate",
        "events_enabled",
        "fell_back",
        "gone_at",
        "heard",
        "heartbeat_at",
        "hostname",
        "idle_at",
        "ignored",
        "interval",
        "ledgers",
        "left_active",
        "left_at",
        "limits_asked",
        "limits_at",
        "limits_hold",
        "loadavg",
        "max_rss_bytes",
        "missed",
        "missed_at",
        "missing",
        "offline_at",
        "pid",
        "pool",
        "pool_size",
        "prefetch_count",
        "processed",
        "processed_by_pid",
        "progress_at",
        "progressed_at",
        "queues",
        "replaced",
        "reserved",
        "responding",
        "restarts",
        "running",
        "scheduled",
        "skews",
        "slots_told_by",
        "stalled_at",
        "stalled_since",
        "started_at",
        "starts",
        "state",
        "sw_sys",
        "sw_ver",
        "task_heard",
        "unanswered",
        "unconsuming",
        "unexplained_progress",
        "wedged",
        "worked",
    )

    def __init__(self, hostname: str) -> None:
        self.hostname = hostname
        self.state = State.UNHEARD
        self.pid: int | None = None
        self.heard = 0.0  # monotonic: its last worker event
        self.task_heard = 0.0  # monotonic: its last task event since its last heartbeat
        self.heartbeat_at: float | None = None  # epoch, our clock
        self.announced_at: float | None = None  # epoch, its clock: last worker-online
        self.offline_at: float | None = None  # epoch, its clock: last worker-offline
        self.left_at: float | None = None  # monotonic: the receipt of that
        self.left_active: int | None = None  # what it ran when it said goodbye
        self.started_at: float | None = None
        self.interval = DEFAULT_INTERVAL
        self.active: int | None = None
        self.processed: int | None = None
        self.processed_by_pid: dict[int | None, int] = {}
        self.progress_at = 0.0  # monotonic: its last heartbeat with ``processed``
        self.progressed_at: float | None = None  # monotonic: the last that counted more than before
        self.doubted: int | None = None  # a count too high to be believed unless it is said again
        self.clock: int | None = None  # Lamport clock of its last worker event
        self.gone_at = 0.0  # monotonic: when the broker was found to know its process no more
        self.ledgers: dict[int | None, worker_missed_events.Ledger] = {}  # by pid
        self.starts: dict[int | None, list[int | None]] = {}  # those of the ledgers, by pid
        self.missed: int | None = None  # task-started that were lost; None: never checked
        self.loadavg: tuple[float, float, float] | None = None
        self.sw_ver: str | None = None
        self.sw_sys: str | None = None
        self.restarts = 0
        self.crashes = 0  # those of the restarts before which the process said no goodbye
        self.duplicate = False  # two processes use its name at once
        # The process that its present one seems to have replaced, and whether that was a crash.
        self.replaced: tuple[int | None, int] | None = None
        self.fell_back = False  # its last heartbeat counted fewer tasks than one before
        self.events_enabled: bool | None = None
        self.unexplained_progress = False
        self.idle_at: float | None = None  # monotonic: the last heartbeat, if its active was 0
        self.running: dict[str, task_records.TaskRecord] = {}
        self.worked = False  # its process ran something when it was lost
        self.skews: deque[float] = deque(maxlen=SKEW_WINDOW)
        self.clear_answers()

    def clear_answers(self) -> None:
        """Forget what the process answered: it is another one now."""
        self.answered_at: float | None = None  # monotonic
        self.missed_at = 0.0  # monotonic: the last poll that it left unanswered
        self.beats_at_work = False  # a heartbeat told of a running task
        self.consumed: tuple[str, ...] = ()  # what it has ever said that it consumes
        self.unconsuming = 0  # answers in a row that named no queue
        self.responding: bool | None = None  # answered the last poll
        self.unanswered = 0  # polls in a row
        self.asked_in_vain = False  # it has never answered, nor beat since it was asked last
        self.ignored = 0  # such questions over which it went on to beat
        self.pool: str | None = None
        self.concurrency: int | None = None  # at most, with --autoscale
        self.pool_size: int | None = None  # now
        self.slots_told_by = 0  # processes: of namesakes two
        self.prefetch_count: int | None = None
        self.max_rss_bytes: int | None = None
        self.queues: tuple[str, ...] | None = None  # what it consumes
        self.reserved: int | None = None
        self.scheduled: int | None = None
        self.missing: frozenset[str] = frozenset()  # ran by its events, not by its last answer
        self.wedged: str | None = None  # why it seems to be stuck
        self.stalled_at: int | None = None  # what it had processed when its stall began
        self.stalled_since: float | None = None  # monotonic
        self.clear_limits()

    def clear_limits(self) -> None:
        """Forget what a worker that seemed to be stuck said of its rate limits."""
        self.limits_asked: int | None = None  # polls that asked in vain; None: nobody need ask
        self.limits_at: float | None = None  # monotonic: when it told
        self.limits_hold = False  # they may be why it starts nothing

    def release(self) -> None:
        """Let go of all that takes room: records of tasks may outlive the worker's place."""
        for kept in (self.running, self.ledgers, self.starts, self.processed_by_pid, self.skews):
            kept.clear()
        self.clear_answers()

    @property
    def free_slots(self) -> int | None:
        """How many more tasks it could run; None while that is unknown."""
        slots = self.slots
        return None if slots is None or self.active is None else max(0, slots - self.active)

    @property
    def slots(self) -> int | None:
        """How many tasks it can run at once; None while that is unknown.

        What it said may be older than a pool_grow: where more runs, there is room for so many.
        """
        return self._with_what_runs(self.concurrency)

    @property
    def slots_now(self) -> int | None:
        """How many tasks its pool can run at once as it is now: at most ``slots``."""
        return self._with_what_runs(self.pool_size)

    def _with_what_runs(self, slots: int | None) -> int | None:
        return None if slots is None else max(slots, min(self.active or 0, MOST_BELIEVED))

    @property
    def busy(self) -> int:
        """How many of its slots run a task: by its heartbeats, else by its events and answers."""
        running = len(self.running) if self.active is None else self.active
        return running if self.slots is None else min(running, self.slots)

    @property
    def kind(self) -> str:
        """Its pool as ``worker_verdict`` knows it: what silence and stillness of it mean."""
        if self.pool in worker_verdict.FREE_POOLS:
            return self.pool or worker_verdict.UNKNOWN
        if self.beats_at_work:
            return worker_verdict.OTHER
        return worker_verdict.SOLO if self.pool == worker_verdict.SOLO else worker_verdict.UNKNOWN

    @property
    def is_silent_at_work(self) -> bool:
        """Whether it is, or may be, of a kind that neither beats nor answers while it works."""
        return self.kind in {worker_verdict.SOLO, worker_verdict.UNKNOWN}

    @property
    def may_be_working(self) -> bool:
        """Whether it beat, and what silenced it may be a task."""
        silent = self.state is State.UNHEARD and self.heartbeat_at is not None
        return silent and self.is_silent_at_work

    def silence(self, *, ours: bool) -> worker_verdict.Facts:
        """Return what is known of it after too long a silence; ``ours`` if it may be ours."""
        heard = "ours" if ours else "silent"
        return worker_verdict.Facts(
            heard="never" if self.heartbeat_at is None else heard,
            gone="yes" if self.is_gone else "no",
            pool=self.kind,
        )

    @property
    def left_queues(self) -> tuple[str, ...]:
        """What it consumed before and, by its last answer, does not any more."""
        if self.queues is None:
            return ()
        return tuple(name for name in self.consumed if name not in self.queues)

    @property
    def is_gone(self) -> bool:
        """Whether its process is known to be no more: the broker knew it no more when asked."""
        return self.gone_at > self.last_seen

    @property
    def last_heard(self) -> float:
        """When anything of it was last received (monotonic)."""
        return max(self.heard, self.task_heard)

    @property
    def last_seen(self) -> float:
        """When it was last heard or answered (monotonic)."""
        return max(self.last_heard, self.answered_at or 0.0)

    @property
    def patience(self) -> float:
        """How long it may be silent before it counts as lost, in seconds."""
        return max(INTERVALS_TO_SILENCE * self.interval, SILENCE_FLOOR)

    @property
    def skew(self) -> float | None:
        """How far its clock is behind ours, in seconds; None before its first heartbeat."""
        return min(self.skews) if self.skews else None
