"""One worker as its events tell it."""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from celery_sentinel.fleet import records

DEFAULT_INTERVAL = 2.0  # celery's heartbeat interval, until a worker announces its own
SILENCE_FLOOR = 10.0  # seconds
INTERVALS_TO_SILENCE = 3
SKEW_WINDOW = 64  # heartbeats


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
        "duplicate",
        "events_enabled",
        "fell_back",
        "heard",
        "heartbeat_at",
        "hostname",
        "idle_at",
        "interval",
        "loadavg",
        "offline_at",
        "pid",
        "processed",
        "processed_by_pid",
        "queues",
        "restarts",
        "running",
        "skews",
        "started_at",
        "state",
        "sw_sys",
        "sw_ver",
        "task_heard",
        "task_heard_at_progress",
        "unexplained_progress",
    )

    def __init__(self, hostname: str) -> None:
        self.hostname = hostname
        self.state = State.UNHEARD
        self.pid: int | None = None
        self.heard = 0.0  # monotonic: its last worker event
        self.task_heard = 0.0  # monotonic: its last task event
        self.task_heard_at_progress = 0.0
        self.heartbeat_at: float | None = None  # epoch, our clock
        self.announced_at: float | None = None  # epoch, its clock: last worker-online
        self.offline_at: float | None = None  # epoch, its clock: last worker-offline
        self.started_at: float | None = None
        self.interval = DEFAULT_INTERVAL
        self.active: int | None = None
        self.processed: int | None = None
        self.processed_by_pid: dict[int | None, int] = {}
        self.loadavg: tuple[float, float, float] | None = None
        self.sw_ver: str | None = None
        self.sw_sys: str | None = None
        self.restarts = 0
        self.duplicate = False  # two processes use its name at once
        self.fell_back = False  # its last heartbeat counted fewer tasks than one before
        self.events_enabled: bool | None = None
        self.unexplained_progress = False
        self.idle_at: float | None = None  # monotonic: the last heartbeat, if its active was 0
        self.queues: tuple[str, ...] | None = None  # what it consumes, once a poll has told
        self.running: dict[str, records.TaskRecord] = {}
        self.skews: deque[float] = deque(maxlen=SKEW_WINDOW)

    @property
    def last_heard(self) -> float:
        """When anything of it was last received (monotonic)."""
        return max(self.heard, self.task_heard)

    @property
    def patience(self) -> float:
        """How long it may be silent before it counts as lost, in seconds."""
        return max(INTERVALS_TO_SILENCE * self.interval, SILENCE_FLOOR)

    @property
    def skew(self) -> float | None:
        """How far its clock is behind ours, in seconds; None before its first heartbeat."""
        return min(self.skews) if self.skews else None
