"""What stats of every pool and age of Celery say is read as slots: the most, and as of now."""

from __future__ import annotations

import json
from typing import Any

import pytest

from celery_sentinel.remote_control import replies

PID = 100
PREFORK = {"implementation": "celery.concurrency.prefork:TaskPool"}
OLD: dict[str, Any] = {}  # Celery before 5.3 names no implementation
THREADS = {"implementation": "celery.concurrency.thread:TaskPool", "threads": 2}
GEVENT = {"implementation": "celery.concurrency.gevent:TaskPool"}
EVENTLET = {"implementation": "celery.concurrency.eventlet:TaskPool", "free-threads": 3}
SOLO = {"implementation": "celery.concurrency.solo:TaskPool", "processes": [PID]}
ASYNCIO = {"implementation": "celery_aio_pool.pool:AsyncIOPool"}


def pids(count: int) -> dict[str, Any]:
    """Return what prefork says of so many processes."""
    return {"processes": list(range(PID + 1, PID + 1 + count))}


def scaler(most: object, current: object) -> dict[str, Any]:
    """Return what stats say of an autoscaler."""
    return {"max": most, "min": 1, "current": current, "qty": 0}


@pytest.mark.parametrize(
    ("pool", "start", "autoscaler", "expected"),
    [
        pytest.param({**PREFORK, **pids(2)}, 2, None, ("prefork", 2, 2), id="prefork"),
        pytest.param({**PREFORK, **pids(5)}, 2, None, ("prefork", 5, 5), id="grown"),
        pytest.param({**PREFORK, **pids(1)}, 4, None, ("prefork", 1, 1), id="shrunk"),
        pytest.param({**PREFORK, **pids(1)}, 1, scaler(8, 1), ("prefork", 8, 1), id="idle"),
        pytest.param({**PREFORK, **pids(8)}, 1, scaler(8, 8), ("prefork", 8, 8), id="at its most"),
        pytest.param({**PREFORK, **pids(8)}, 1, scaler(6, 8), ("prefork", 8, 8), id="max lowered"),
        pytest.param({**PREFORK, **pids(0)}, 0, scaler(8, 0), ("prefork", 8, 0), id="from none"),
        pytest.param({**OLD, **pids(8)}, 1, scaler(8, 8), ("prefork", 8, 8), id="5.2"),
        pytest.param({**OLD, "processes": [PID]}, 1, None, ("solo", 1, 1), id="5.2 solo"),
        pytest.param({**OLD, **pids(1)}, 1, None, ("prefork", 1, 1), id="5.2, one process"),
        pytest.param({**OLD, "threads": 0}, 4, None, ("threads", 4, 4), id="5.2 threads"),
        pytest.param({**OLD, "free-threads": 0}, 4, None, ("eventlet", 4, 4), id="5.2 eventlet"),
        pytest.param(OLD, 4, None, (None, 4, 4), id="5.2 gevent, by nothing"),
        pytest.param(OLD, 1, scaler(8, 0), (None, 8, None), id="5.2 gevent: nobody says its size"),
        pytest.param(THREADS, 4, None, ("threads", 4, 4), id="threads, begun as they are needed"),
        pytest.param(THREADS, 1, scaler(8, 1), ("threads", 1, 1), id="threads never grow"),
        pytest.param(SOLO, 1, scaler(8, 1), ("solo", 1, 1), id="solo neither"),
        pytest.param(GEVENT, 5, scaler(8, 5), ("gevent", 8, 5), id="gevent"),
        pytest.param(GEVENT, 5, None, ("gevent", 5, 5), id="gevent, grown"),
        pytest.param(EVENTLET, 3, scaler(8, 3), ("eventlet", 8, 3), id="eventlet"),
        pytest.param(ASYNCIO, 10, None, ("pool", 10, 10), id="a pool of somebody else"),
        pytest.param({**PREFORK, **pids(2)}, 2, scaler("much", []), None, id="no autoscaler's"),
        pytest.param({**PREFORK, **pids(2)}, 2, "N/A", ("prefork", 2, 2), id="a text"),
        pytest.param({**PREFORK, "processes": "N/A"}, 2, None, ("prefork", 2, 2), id="no list"),
        pytest.param({**PREFORK, **pids(2)}, 2, scaler(None, None), ("prefork", 2, 2), id="empty"),
    ],
)
def test_slots_are_read_from_whatever_a_pool_says(
    pool: dict[str, Any],
    start: int,
    autoscaler: object,
    expected: tuple[str | None, int, int | None] | None,
) -> None:
    """``max-concurrency`` is the size at the start only; a field of no sense costs the answer."""
    stats = {"pid": PID, "pool": {"max-concurrency": start, **pool}, "autoscaler": autoscaler}
    body = json.dumps({"w1@h": stats}).encode()
    if expected is None:
        with pytest.raises(ValueError, match="Expected"):
            replies.read("stats", "application/json", body)
        return
    (reading,) = replies.merge([replies.read("stats", "application/json", body)])
    assert (reading.pool, reading.concurrency, reading.pool_size) == expected


def test_a_worker_that_cannot_tell_its_memory_tells_the_rest() -> None:
    """Windows has no rusage and Celery says so in words."""
    stats = {"pid": PID, "rusage": "N/A", "pool": {"max-concurrency": 2, **SOLO}}
    body = json.dumps({"w1@h": stats}).encode()
    (reading,) = replies.merge([replies.read("stats", "application/json", body)])
    assert (reading.max_rss_bytes, reading.pool) == (None, "solo")
