"""What stands in a state file: typed, versioned, of plain values, without any address of a secret.

A file is a head and any number of portions. Rows name series, workers and bounds by their
numbers: the order in which they stand in the file, over all portions.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from celery_sentinel.events.event import Event

VERSION = 1

HeldEvent = Event  # a head has its own ``events``

Natural = Annotated[int, msgspec.Meta(ge=0)]
Counts = dict[str, Natural]


class Histogram(msgspec.Struct, array_like=True, gc=False):
    """``bounds`` is a number; ``counts`` has one place more, for +Inf; ``sum`` is seconds."""

    bounds: Natural
    counts: list[Natural]
    sum: float


class Series(msgspec.Struct, array_like=True):
    """The counters of one (name, queue[, hostname]); its gauges follow from the records.

    ``exceptions`` are the labels admitted, in their order; ``received_at`` and ``heard`` are
    monotonic.
    """

    labels: tuple[str, ...]
    sent: Natural
    received: Natural
    started: Natural
    succeeded: Natural
    redelivered: Natural
    cancelled: Natural
    failed: list[tuple[str, str, Natural]]
    exceptions: list[str]
    retried: Counts
    rejected: Counts
    revoked: Counts
    lost: Counts
    last_sent: float
    last_succeeded: float
    last_failed: float
    received_at: float
    runtime_succeeded: Histogram | None
    runtime_failed: Histogram | None
    queue_wait: Histogram | None
    heard: float = 0.0


class Ledger(msgspec.Struct, array_like=True):
    """The account of one process: the fields of ``fleet.ledger.Balance``."""

    pid: int | None
    clock: int
    started: int
    folded: int
    folded_to: int
    starts: list[int]
    totals: dict[str, int] | None
    excuses: dict[str, int]


class Worker(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One worker: the attributes of ``fleet.worker.Worker`` that outlive the process.

    What it holds at the moment, and whether it answers, is not among them.
    """

    hostname: str
    state: Literal["unheard", "up", "lost", "offline"]
    pid: int | None = None
    heard: float = 0.0
    task_heard: float = 0.0
    idle_at: float | None = None
    answered_at: float | None = None
    heartbeat_at: float | None = None
    announced_at: float | None = None
    offline_at: float | None = None
    started_at: float | None = None
    interval: float = 2.0
    active: Natural | None = None
    processed: Natural | None = None
    processed_by_pid: list[tuple[int | None, Natural]] = []
    loadavg: tuple[float, float, float] | None = None
    sw_ver: str | None = None
    sw_sys: str | None = None
    restarts: Natural = 0
    duplicate: bool = False
    fell_back: bool = False
    events_enabled: bool | None = None
    unexplained_progress: bool = False
    skews: list[float] = []
    progress_at: float = 0.0
    missed: Natural | None = None
    ledgers: list[Ledger] = []
    pool: str | None = None
    concurrency: Natural | None = None
    prefetch_count: Natural | None = None
    max_rss_bytes: Natural | None = None
    queues: tuple[str, ...] | None = None
    crashes: Natural = 0
    consumed: tuple[str, ...] = ()
    left_active: Natural | None = None
    beats_at_work: bool = False


class Record(msgspec.Struct, array_like=True, gc=False):
    """One task; ``worker`` is OVERFLOWED for those over their limit; ``seen`` is monotonic."""

    uuid: str
    series: Natural
    worker: int | None
    state: Annotated[int, msgspec.Meta(ge=0, le=4)]
    seen: float
    retries: int = 0
    unclosed: int = 0
    sent: float | None = None
    eta: float | None = None
    received: float | None = None
    started: float | None = None
    polled: bool = False
    expires: float | None = None


OVERFLOWED = -1


class Story(msgspec.Struct, array_like=True):
    """An id that one task hands on to another: ``fleet.replacements.Story``.

    ``coming`` is a series and when (epoch) its task was sent; ``alias`` the shadow's name.
    """

    uuid: str
    names: list[str]
    unannounced: Natural
    coming: tuple[Natural, float] | None
    earlier: list[Record]
    alias: str | None = None


class Queue(msgspec.Struct, array_like=True):
    """One queue, by whom it was named and when last, and the messages seen at its tails."""

    name: str
    sources: list[str]
    mentioned_at: float
    first_seen: dict[str, float]
    lively_at: float = 0.0


class Shared(msgspec.Struct, array_like=True):
    """An id of which workers have copies: ``fleet.copies.Shared``; ``series`` is a number."""

    uuid: str
    series: Natural
    retries: int
    sent: float | None
    eta: float | None


class Portion(msgspec.Struct, omit_defaults=True, kw_only=True):
    """Some rows; what they refer to stands in the same portion or in one before."""

    bounds: list[tuple[float, ...]] = []
    series: list[Series] = []
    workers: list[Worker] = []
    prefetch_waits: dict[str, Histogram] = {}
    records: list[Record] = []
    stories: list[Story] = []
    shared: list[Shared] = []


class Stream(msgspec.Struct, kw_only=True):
    """Our own connection: its counts; ``under_way`` is how long it has been broken, if it is.

    ``unjudged`` is the reason of a break of which the next subscription tells whether it is a gap.
    """

    up: bool
    gap_seconds: float
    under_way: float | None
    unjudged: str | None
    resumptions: Natural
    gaps: Counts
    rejected: Counts
    salvaged: Counts
    control: Counts
    failures: Counts


class Labels(msgspec.Struct, kw_only=True):
    """The admitted values of each label, and how often each limit was hit."""

    names: list[str]
    queues: list[str]
    hostnames: list[str]
    overflow: Counts
    forgotten: Counts = {}


class Head(msgspec.Struct, kw_only=True):
    """What concerns the whole: when, of which broker, and every small table.

    ``now`` (monotonic) and ``wall`` (epoch) are one moment, that of the snapshot; ``since`` is
    when counting began. ``held`` are events that were still to be applied, ``folded`` and
    ``fanout`` those of ``fleet.queues``. ``lineage`` stays the
    same from restart to restart. ``final`` is True for the exact snapshot of a daemon that was
    stopped.
    """

    broker: str
    lineage: str
    since: float
    wall: float
    now: float
    final: bool
    records: Natural
    events: Counts
    unknown_types: Natural
    failures: Natural
    last_event_at: float | None
    orphans: Counts
    clamped_waits: Natural
    evictions: Counts
    malformed: Natural
    workers_overflow: Natural
    workers_lost: Natural
    labels: Labels
    stream: Stream
    queues_overflow: Natural
    queues: list[Queue]
    learnt: dict[str, str]
    sent_to: Counts
    held: list[HeldEvent] = []
    folded: list[str] = []
    fanout: list[str] = []
