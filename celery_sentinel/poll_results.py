"""What a poll of the broker or the workers found, before the fleet has made sense of it."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

# Why a broker refuses something: the values of the label ``reason`` of what is told about it.
Reason = Literal[
    "read_only", "out_of_memory", "misconfigured", "cluster", "blocked", "loading", "not_found",
    "no_rights", "authentication", "tls", "wrong_protocol",
    "limit", "timeout", "unreachable", "other",
]  # fmt: skip
REASONS: tuple[Reason, ...] = get_args(Reason)


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong with the broker; ``text`` is what it said, or what was seen."""

    reason: Reason
    text: str


class BrokerCondition(msgspec.Struct, frozen=True, kw_only=True):
    """What the broker tells of itself; None and absent is unknown, or that there is no limit.

    ``memory_used`` and ``memory_max`` are bytes; of several nodes those of the one nearest to its
    limit. ``writable`` is whether it takes messages. ``alarms`` are RabbitMQ's, by name.
    ``doubts`` are sentences: what is no trouble yet, and what could not be asked.
    """

    product: str | None = None
    version: str | None = None
    role: str | None = None
    mode: str | None = None
    eviction_policy: str | None = None
    memory_used: int | None = None
    memory_max: int | None = None
    evicted_keys: int | None = None
    clients: int | None = None
    clients_max: int | None = None
    writable: bool | None = None
    alarms: dict[str, bool] = {}
    troubles: tuple[Trouble, ...] = ()
    doubts: tuple[str, ...] = ()


class Tail(msgspec.Struct, frozen=True, kw_only=True):
    """The message at the tail of a queue, the next to be consumed.

    ``enqueued_at`` is epoch seconds where the message itself tells; ``task_id`` is the key to
    our own record of its task-sent.
    """

    task_id: str | None = None
    enqueued_at: float | None = None


class QueueReading(msgspec.Struct, frozen=True, kw_only=True):
    """One queue; None is unknown. ``by_priority`` adds up to ``length`` where it is given.

    ``foreign`` names what is there instead of a queue, where that is so.
    """

    length: int | None = None
    by_priority: dict[str, int] = {}
    unacked: int | None = None
    consumers: int | None = None
    tails: tuple[Tail, ...] = ()
    foreign: str | None = None


class BrokerReading(msgspec.Struct, frozen=True, kw_only=True):
    """One look at the broker: queues by name, and what concerns all of them.

    ``round_trip`` is seconds; ``oldest_unacked_at`` epoch seconds; ``delayed`` counts messages
    in RabbitMQ's native delayed delivery. ``asked_at`` is monotonic, before the first question;
    None where it took no time. ``trouble`` says what could not be asked, where the
    rest could.
    """

    queues: dict[str, QueueReading]
    round_trip: float | None
    unacked: int | None = None
    oldest_unacked_at: float | None = None
    delayed: int | None = None
    asked_at: float | None = None
    trouble: str | None = None
    condition: BrokerCondition | None = None


class ActiveTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task a worker says it is running; ``started_at`` is epoch seconds of its clock."""

    task_id: str
    name: str | None = None
    queue: str | None = None
    exchange: str | None = None
    routing_key: str | None = None
    started_at: float | None = None


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """How a queue that a worker consumes hangs on an exchange; ``key`` is its binding key."""

    queue: str
    exchange: str
    type: str
    key: str


class WorkerReading(msgspec.Struct, frozen=True, kw_only=True):
    """What one worker answered; a question it left open is None.

    ``concurrency`` is how many tasks it can run at once when its pool is as large as it may become,
    ``pool_size`` how many as it is now. ``started`` is how many tasks of each name the process had
    started when its Lamport clock stood at ``clock``.
    """

    hostname: str
    pid: int | None = None
    pool: str | None = None
    concurrency: int | None = None
    pool_size: int | None = None
    prefetch_count: int | None = None
    max_rss_bytes: int | None = None
    queues: tuple[str, ...] | None = None
    bindings: tuple[Binding, ...] = ()
    reserved: int | None = None
    scheduled: int | None = None
    active: tuple[ActiveTask, ...] | None = None
    clock: int | None = None
    started: dict[str, int] | None = None
    rate_limits: dict[str, bool] | None = None
    answers: int = 1
