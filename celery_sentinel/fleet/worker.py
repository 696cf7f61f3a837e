"""One worker as its events tell it."""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from celery_sentinel.fleet import ledger, records

DEFAULT_INTERVAL = 2.0  # celery's heartbeat interval, until a worker announces its own
SILENCE_FLOOR = 10.0  # seconds
INTERVALS_TO_SILENCE = 3
SKEW_WINDOW = 64  # heartbeats
MOST_BELIEVED = 10_000  # tasks that run at once, by a heartbeat alone: anybody may send one
SOLO = "solo"  # the pool whose only thread neither beats nor answers while it runs a task
SOLO_PATIENCE = 900.0  # seconds; longer than most tasks


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
        "concurrency",
        "crashes",
        "duplicate",
        "events_enabled",
        "fell_back",
        "heard",
        "heartbeat_at",
        "hostname",
        "idle_at",
        "interval",
        "ledgers",
        "loadavg",
        "max_rss_bytes",
        "missed",
        "missing",
        "offline_at",
        "pid",
        "pool",
        "pool_size",
        "prefetch_count",
        "processed",
        "processed_by_pid",
        "progress_at",
        "queues",
        "reserved",
        "responding",
        "restarts",
        "running",
        "scheduled",
        "skews",
        "stalled_at",
        "stalled_since",
        "started_at",
        "starts",
        "state",
        "sw_sys",
        "sw_ver",
        "task_heard",
        "unanswered",
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
        self.started_at: float | None = None
        self.interval = DEFAULT_INTERVAL
        self.active: int | None = None
        self.processed: int | None = None
        self.processed_by_pid: dict[int | None, int] = {}
        self.progress_at = 0.0  # monotonic: its last heartbeat with ``processed``
        self.ledgers: dict[int | None, ledger.Ledger] = {}  # by pid
        self.starts: dict[int | None, list[int | None]] = {}  # those of the ledgers, by pid
        self.missed: int | None = None  # task-started that were lost; None: never checked
        self.loadavg: tuple[float, float, float] | None = None
        self.sw_ver: str | None = None
        self.sw_sys: str | None = None
        self.restarts = 0
        self.crashes = 0  # those of the restarts before which the process said no goodbye
        self.duplicate = False  # two processes use its name at once
        self.fell_back = False  # its last heartbeat counted fewer tasks than one before
        self.events_enabled: bool | None = None
        self.unexplained_progress = False
        self.idle_at: float | None = None  # monotonic: the last heartbeat, if its active was 0
        self.running: dict[str, records.TaskRecord] = {}
        self.worked = False  # its process ran something when it was lost
        self.skews: deque[float] = deque(maxlen=SKEW_WINDOW)
        self.clear_answers()

    def clear_answers(self) -> None:
        """Forget what the process answered: it is another one now."""
        self.answered_at: float | None = None  # monotonic
        self.responding: bool | None = None  # answered the last poll
        self.unanswered = 0  # polls in a row
        self.pool: str | None = None
        self.concurrency: int | None = None  # at most, with --autoscale
        self.pool_size: int | None = None  # now
        self.prefetch_count: int | None = None
        self.max_rss_bytes: int | None = None
        self.queues: tuple[str, ...] | None = None  # what it consumes
        self.reserved: int | None = None
        self.scheduled: int | None = None
        self.missing: frozenset[str] = frozenset()  # ran by its events, not by its last answer
        self.wedged: str | None = None  # why it seems to be stuck
        self.stalled_at: int | None = None  # what it had processed when its stall began
        self.stalled_since: float | None = None  # monotonic

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
