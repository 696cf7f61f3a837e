"""The stats of a worker say in several ways how large its pool is; each pool means another."""

from __future__ import annotations

import msgspec

PREFORK, THREADS, EVENTLET, SOLO = "prefork", "threads", "eventlet", "solo"
FIXED = frozenset({THREADS, SOLO})  # an autoscaler or pool_grow changes nothing about these
_NAMES = {"thread": THREADS}  # where the module is not called as the pool is on the command line


class Pool(msgspec.Struct):
    """What ``stats`` say of the pool; ``processes`` are the ids of what prefork runs.

    Celery 5.2 names no implementation. ``max-concurrency`` is, in prefork, the size at the
    start, whatever has become of it since.
    """

    implementation: str | None = None
    max_concurrency: int | None = msgspec.field(name="max-concurrency", default=None)
    processes: list[int] | str | None = None
    threads: int | str | None = None
    free_threads: int | str | None = msgspec.field(name="free-threads", default=None)


class Autoscaler(msgspec.Struct):
    """What ``stats`` say of the autoscaler, where a worker has one; a site may have its own."""

    max: int | float | str | None = None
    current: int | float | str | None = None


def kind(pool: Pool, pid: int | None) -> str | None:
    """Return the pool as ``--pool`` calls it, by its implementation or by what it tells."""
    if pool.implementation:
        name = pool.implementation.partition(":")[0].rpartition(".")[2]
        return _NAMES.get(name, name)
    if isinstance(pool.processes, list):
        return SOLO if pid is not None and pool.processes == [pid] else PREFORK
    if pool.threads is not None:
        return THREADS
    return EVENTLET if pool.free_threads is not None else None


def size(pool: Pool, scaler: Autoscaler | None, of_kind: str | None) -> int | None:
    """Return how many tasks the pool can run at once as it is now; None where nobody says."""
    if of_kind == PREFORK and isinstance(pool.processes, list):
        return len(pool.processes)
    if scaler is None or of_kind in FIXED or scaler.current == pool.max_concurrency:
        return pool.max_concurrency
    # Celery before 5.7 with gevent: the one is the size at the start, the other what runs.
    return None


def ceiling(pool: Pool, scaler: Autoscaler | None, of_kind: str | None) -> int | None:
    """Return how many tasks the worker can run at once when its pool is as large as it may be."""
    now = size(pool, scaler, of_kind)
    most = scaler.max if scaler is not None and of_kind not in FIXED else None
    if isinstance(most, int):
        return most if now is None else max(most, now)  # it shrinks when a process is idle
    return pool.max_concurrency if now is None else now
