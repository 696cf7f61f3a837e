"""Reads what workers answer to remote control, one question at a time."""

from __future__ import annotations

import json
import math
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from celery_sentinel import poll_results
from celery_sentinel.remote_control import pool_sizes, rate_limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LONGEST = 16 * 1024 * 1024  # bytes; `reserved` of a worker with many large tasks
LONGEST_LOOSE = 4 * 1024 * 1024  # bytes of one that takes the slow way, which costs ten times them
MOST_BINDINGS = 1000  # of one worker
LONGEST_KEY = 255  # characters of a routing key: AMQP has bytes for no more
MOST_ACTIVE = 10_000  # tasks one worker may run at once


class _Usage(msgspec.Struct):
    maxrss: int | None = None  # kilobytes on Linux


class _Stats(msgspec.Struct):
    pid: int | None = None
    prefetch_count: int | None = None
    pool: pool_sizes.Pool | None = None
    autoscaler: pool_sizes.Autoscaler | str | None = None
    rusage: _Usage | str | None = None  # Windows has none and says so in words
    clock: int | str | None = None
    total: dict[str, int] | None = None


class _Consumed(msgspec.Struct):
    """A queue with what binds it, in whatever form: that is read with care below."""

    name: str
    exchange: Any = None
    routing_key: Any = None
    bindings: Any = None


class _Delivery(msgspec.Struct):
    exchange: str | None = None
    routing_key: str | None = None


class _Running(msgspec.Struct):
    id: str
    name: str | None = None
    time_start: float | None = None
    delivery_info: _Delivery | None = None


class _Held(msgspec.Struct, gc=False):
    """A task that is reserved or scheduled; nothing of it is kept."""


class Question(NamedTuple):
    """What is asked: a control command with its arguments, and the shape of its answer."""

    arguments: dict[str, Any]
    shape: Any


RATE_LIMITS = "registered"
QUESTIONS = {
    "stats": Question({}, dict[str, _Stats]),
    "active_queues": Question({}, dict[str, list[_Consumed]]),
    # safe: the tasks' arguments as short texts instead of the objects, which are none of ours
    "active": Question({"safe": True}, dict[str, list[_Running]]),
    "reserved": Question({}, dict[str, list[_Held]]),
    "scheduled": Question({}, dict[str, list[_Held]]),
    # asked only of who seems to be stuck
    RATE_LIMITS: Question({"taskinfoitems": ["rate_limit"]}, dict[str, list[str]]),
}
ROUND = tuple(name for name in QUESTIONS if name != RATE_LIMITS)
_COUNTED = {"reserved", "scheduled"}  # how many is all we want to know
_DECODERS: dict[str, dict[str, Any]] = {
    "application/json": {
        name: msgspec.json.Decoder(question.shape) for name, question in QUESTIONS.items()
    },
    "application/x-msgpack": {
        name: msgspec.msgpack.Decoder(question.shape) for name, question in QUESTIONS.items()
    },
}


class Answer(NamedTuple):
    """What one worker answered to one question."""

    question: str
    hostname: str
    content: Any


def read(question: str, content_type: object, body: object) -> Answer:
    """Return the answer in a message; a ValueError says why it is none."""
    decoder = _DECODERS.get(str(content_type), {}).get(question)
    if decoder is None:
        kind = str(content_type)[:100]
        raise ValueError(f"answers come as {kind}; only JSON and msgpack are read")
    raw = _as_bytes(body)
    try:
        found = _decode(question, decoder, raw)
    except RecursionError:
        raise ValueError("the answer is nested too deeply") from None
    if len(found) != 1:
        raise ValueError(f"the answer is that of {len(found)} workers")
    ((hostname, content),) = found.items()
    if question == "active" and len(content) > MOST_ACTIVE:
        raise ValueError(f"it runs {len(content)} tasks at once; at most {MOST_ACTIVE} are read")
    if question in _COUNTED:
        content = len(content)
    return Answer(question, hostname, content)


def merge(answers: Iterable[Answer]) -> list[poll_results.WorkerReading]:
    """Put together what each worker said; two answers to one question are two workers."""
    by_hostname: dict[str, dict[str, Any]] = {}
    said: dict[str, list[_Stats]] = {}
    for question, hostname, content in answers:
        by_hostname.setdefault(hostname, {})[question] = content
        if question == "stats":
            said.setdefault(hostname, []).append(content)
    found = []
    for hostname, parts in by_hostname.items():
        stats = said.get(hostname, [])
        reading = _reading(hostname, parts, max(1, len(stats)))
        found.append(_with_namesakes(reading, stats) if len(stats) > 1 else reading)
    return found


def _with_namesakes(
    reading: poll_results.WorkerReading, stats: list[_Stats]
) -> poll_results.WorkerReading:
    """Return the reading with the slots of all that have answered by this name."""
    several = [_reading(reading.hostname, {"stats": one}, 1) for one in stats]
    return msgspec.structs.replace(
        reading,
        concurrency=_sum(one.concurrency for one in several),
        pool_size=_sum(one.pool_size for one in several),
    )


def _sum(counts: Iterable[int | None]) -> int | None:
    """Return the sum; None where one of them is unknown."""
    total = 0
    for count in counts:
        if count is None:
            return None
        total += count
    return total


def _as_bytes(body: object) -> bytes:
    if isinstance(body, str):
        body = body.encode()
    if not isinstance(body, bytes | bytearray | memoryview):
        raise ValueError(f"the answer has a {type(body).__name__} for a body")  # noqa: TRY004 -- a fault of the sender's, not of the caller's
    if len(body) > LONGEST:
        raise ValueError(f"the answer has {len(body)} bytes; at most {LONGEST} are read")
    return bytes(body)


def _decode(question: str, decoder: Any, raw: bytes) -> dict[str, Any]:
    """Decode an answer; what strict JSON refuses (NaN in an argument, say) goes the slow way."""
    try:
        return decoder.decode(raw)  # type: ignore[no-any-return]
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        if len(raw) > LONGEST_LOOSE:
            raise
        found: dict[str, Any] = msgspec.convert(json.loads(raw), QUESTIONS[question].shape)
        return found


def _reading(hostname: str, parts: dict[str, Any], answers: int) -> poll_results.WorkerReading:
    stats = parts.get("stats") or _Stats()
    pool = stats.pool or pool_sizes.Pool()
    scaler = stats.autoscaler if isinstance(stats.autoscaler, pool_sizes.Autoscaler) else None
    kind = pool_sizes.kind(pool, stats.pid)
    consumed, active = parts.get("active_queues"), parts.get("active")
    usage = stats.rusage.maxrss if isinstance(stats.rusage, _Usage) else None
    return poll_results.WorkerReading(
        hostname=hostname,
        pid=stats.pid,
        pool=kind,
        concurrency=pool_sizes.ceiling(pool, scaler, kind),
        pool_size=pool_sizes.size(pool, scaler, kind),
        prefetch_count=stats.prefetch_count,
        max_rss_bytes=None if usage is None else usage * 1024,
        queues=None if consumed is None else tuple(queue.name for queue in consumed),
        bindings=tuple(islice(_bindings(consumed or ()), MOST_BINDINGS)),
        reserved=parts.get("reserved"),
        scheduled=parts.get("scheduled"),
        active=None if active is None else tuple(_active(task) for task in active),
        clock=_clock(stats.clock),
        started=stats.total,
        rate_limits=rate_limits.read(parts.get(RATE_LIMITS)),
        answers=answers,
    )


def _bindings(consumed: Iterable[_Consumed]) -> Iterator[poll_results.Binding]:
    """Yield what binds the queues to exchanges that have a name; the nameless needs nothing."""
    for queue in consumed:
        own = {"exchange": queue.exchange, "routing_key": queue.routing_key}
        others = queue.bindings if isinstance(queue.bindings, list) else []
        for found in (own, *others):
            exchange = found.get("exchange") if isinstance(found, dict) else None
            if not isinstance(exchange, dict):
                continue
            name, kind, key = exchange.get("name"), exchange.get("type"), found.get("routing_key")
            if name and isinstance(name, str) and isinstance(kind, str) and _is_text(key or ""):
                yield poll_results.Binding(
                    queue=queue.name, exchange=name, type=kind, key=key or ""
                )


def _is_text(key: object) -> bool:
    return isinstance(key, str) and len(key) <= LONGEST_KEY


def _clock(clock: int | str | None) -> int | None:
    """Return the Lamport clock, which Celery writes as a text."""
    try:
        return None if clock is None else int(clock)
    except ValueError:
        return None


def _active(task: _Running) -> poll_results.ActiveTask:
    delivery = task.delivery_info
    # With the default exchange the routing key is the queue; with others it need not be.
    queue = delivery.routing_key if delivery and delivery.exchange == "" else None
    started = task.time_start
    return poll_results.ActiveTask(
        task_id=task.id,
        name=task.name,
        queue=queue,
        exchange=delivery.exchange if delivery else None,
        routing_key=delivery.routing_key if delivery else None,
        started_at=started if started is not None and math.isfinite(started) else None,
    )
