"""What the landing page and /api/v1/status tell: one document, built from the fleet."""

from __future__ import annotations

import msgspec


class TroubleStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with the broker: one of few reasons, what it said, and what to do."""

    reason: str
    text: str
    advice: str


class ConditionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What the broker tells of itself; None is unknown, or that there is no limit.

    ``writable`` is whether it takes messages; ``alarms`` are the names of those that are raised.
    """

    product: str | None
    version: str | None
    role: str | None
    mode: str | None
    eviction_policy: str | None
    memory_used_bytes: int | None
    memory_max_bytes: int | None
    evicted_keys: int | None
    clients: int | None
    clients_max: int | None
    writable: bool | None
    alarms: tuple[str, ...] = ()


class BrokerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The connection to the broker; ``url`` is redacted, times are epoch seconds.

    ``last_error`` is that of the event stream, else of a poll that fails; ``troubles`` are all that
    is wrong now.
    """

    url: str
    transport: str
    up: bool
    since: float | None
    last_error: str | None
    gaps: int
    gap_seconds: float
    round_trip_seconds: float | None = None
    unacked: int | None = None
    delayed: int | None = None
    troubles: tuple[TroubleStatus, ...] = ()
    condition: ConditionStatus | None = None


class ResultBackendStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The result backend, where one is configured; ``up`` is None before the first poll."""

    transport: str
    up: bool | None
    round_trip_seconds: float | None


class WorkerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One worker; ``state`` is up, lost or unheard; None is unknown.

    ``wedged`` says in a few words why it seems to be stuck, None while it does not. It can run
    ``concurrency`` tasks at once, at most, and ``pool_size`` as its pool is now. ``remote_control``
    is False if it seems to be off. One that ``may_be_working`` is silent, and of a pool that is
    silenced by its work, or of an unknown one.
    """

    hostname: str
    state: str
    pid: int | None
    last_heard_seconds: float
    tasks_active: int | None
    tasks_processed: int | None
    load_average: tuple[float, float, float] | None
    events_enabled: bool | None
    version: str | None
    system: str | None
    responding: bool | None = None
    wedged: str | None = None
    remote_control: bool | None = None
    may_be_working: bool = False
    pool: str | None = None
    concurrency: int | None = None
    pool_size: int | None = None
    tasks_reserved: int | None = None
    tasks_scheduled: int | None = None
    queues: tuple[str, ...] | None = None


class Missed(msgspec.Struct, frozen=True, kw_only=True):
    """An objective that is not met: its key in the configuration, and the limit gone beyond."""

    objective: str
    severity: str
    limit: float


class QueueStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One queue: how it became known, what waits in it, who works on it; None is unknown.

    ``oldest_message_seconds`` is exact where ``oldest_source`` is tracked or header; where it is
    observed the message is at least so old. ``started_seconds`` is how long ago one of its workers
    started a task, of whichever queue; ``held`` are tasks that workers with free slots have taken
    and not begun. ``foreign`` says what is there instead of a queue.
    """

    queue_name: str
    role: str
    sources: tuple[str, ...]
    sent: int
    received: int
    started: int
    length: int | None = None
    unacked: int | None = None
    consumers: int | None = None
    oldest_message_seconds: float | None = None
    oldest_source: str | None = None
    workers: int | None = None
    slots: int | None = None
    slots_busy: int | None = None
    started_seconds: float | None = None
    held: int | None = None
    foreign: str | None = None
    missed: tuple[Missed, ...] = ()


class TaskStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One task name in one queue: its counters since the daemon started.

    ``…_last_hour`` are of the last 60 to 65 minutes, or since the start if that is less ago.
    """

    name: str
    queue_name: str
    sent: int
    received: int
    started: int
    succeeded: int
    failed: int
    retried: int
    revoked: int
    mean_runtime_seconds: float | None
    oldest_started_seconds: float | None
    top_exception: str | None
    rejected: int = 0
    failed_last_hour: int = 0
    succeeded_last_hour: int = 0
    missed: tuple[Missed, ...] = ()


class EventsStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The stream of events as the daemon saw it."""

    total: int
    rejected: dict[str, int]
    last_event_seconds: float | None
    tracked_tasks: int


class StateStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The state file, where one is configured; ``why_not`` says why it was not restored."""

    restored: bool
    why_not: str | None
    snapshot_age_seconds: float | None
    snapshot_bytes: int | None
    failures: int
    last_error: str | None


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The whole page. ``notes`` say in plain words why something may be missing."""

    version: str
    started: float
    uptime_seconds: float
    ready: bool
    broker: BrokerStatus
    events: EventsStatus
    workers: tuple[WorkerStatus, ...]
    queues: tuple[QueueStatus, ...]
    busiest: tuple[TaskStatus, ...]
    failing: tuple[TaskStatus, ...]
    notes: tuple[str, ...]
    result_backend: ResultBackendStatus | None = None
    state: StateStatus | None = None
