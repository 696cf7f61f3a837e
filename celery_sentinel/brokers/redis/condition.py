"""Asks Redis how it fares: what it keeps in memory, and whether it takes writes."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

import redis

from celery_sentinel import errors, logs, poll_results
from celery_sentinel.brokers import failure_reasons
from celery_sentinel.brokers.redis import info as redis_info

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

AGAIN = 15.0  # seconds between two looks, and fewer where queues are polled more often
POLLS = 3  # polls of the queues after which we look again, if that is sooner
PROBE = "celery-sentinel.writable."
# What the server does not do for anybody; NOPERM, say, is ours alone.
_FOR_ALL = frozenset({"read_only", "out_of_memory", "misconfigured", "cluster", "loading"})
# Free memory below which the next messages will find none: this, or a thousandth of the limit.
ROOM = 64 * 1024  # bytes
_NEAR = 0.9  # of the limit of memory


class RedisCondition:
    """Two optional questions, INFO and LPUSHX; one that is refused is not asked again.

    LPUSHX pushes to a list that exists, and is refused like any other write before that is
    looked at. Ours is on a key with a random name, which nobody has: it never writes anything.
    """

    def __init__(self, prefix: str, *, interval: float) -> None:
        self._key = f"{prefix}{PROBE}{uuid.uuid4()}"
        self._hashed = _has_hash_tag(prefix)
        self._again = min(AGAIN, POLLS * interval)
        self._due = 0.0
        self._unasked: set[str] = set()
        self._found: poll_results.BrokerCondition | None = None
        self._log = logs.get(__name__)

    def look(self, client: redis.Redis) -> poll_results.BrokerCondition | None:
        """Return what there is to know, as old as ``AGAIN`` at most; raises what redis-py does."""
        now = time.monotonic()
        if now < self._due:
            return self._found
        client.set_response_callback("INFO", lambda answer, **_: answer)  # redis-py's own may fail
        info = redis_info.Info(self._ask(client, "INFO"))
        self._found = self._judge(info, self._ask(client, "LPUSHX", self._key, "0"))
        self._due = now + self._again
        return self._found

    def forget(self) -> None:
        """Look again next time: the connection was lost, and may lead elsewhere now."""
        self._due, self._found = 0.0, None

    def _ask(self, client: redis.Redis, *command: str) -> Any:
        """Return the answer or the refusal, None for what is not asked any more."""
        name = command[0]
        if name in self._unasked:
            return None
        try:
            return client.execute_command(*command)
        except redis.ResponseError as error:
            if _is_final(error):
                self._unasked.add(name)
                told = str(error)[: errors.LONGEST]
                self._log.warning("broker_health_unknown", command=name, error=told)
            return error

    def _judge(self, info: redis_info.Info, written: Any) -> poll_results.BrokerCondition:
        troubles = list(_told_troubles(info, hashed=self._hashed))
        refused = failure_reasons.of(written) if isinstance(written, Exception) else None
        if refused in _FOR_ALL and refused not in {one.reason for one in troubles}:
            troubles.append(
                poll_results.Trouble(reason=refused, text=str(written)[: errors.LONGEST])
            )
        used, most = info.count("used_memory"), info.count("maxmemory") or None
        return poll_results.BrokerCondition(
            product=info.product if info.version else None,
            version=info.version,
            role=_role(info),
            mode=info.text("redis_mode", "server_mode"),
            eviction_policy=info.text("maxmemory_policy"),
            memory_used=used,
            memory_max=most,
            evicted_keys=info.count("evicted_keys"),
            clients=info.count("connected_clients"),
            clients_max=info.count("maxclients") or None,
            writable=_writable(info, written, troubles),
            troubles=tuple(troubles),
            doubts=tuple(
                _doubts(info, used, most, asked=isinstance(written, int) or refused in _FOR_ALL)
            ),
        )


def _is_final(error: redis.ResponseError) -> bool:
    """Tell whether the same question will be refused next time too: no right, no such command."""
    return failure_reasons.of(error) == "no_rights" or "unknown command" in str(error)


def _told_troubles(info: redis_info.Info, *, hashed: bool) -> Iterator[poll_results.Trouble]:
    """Yield what INFO says that makes a broker of no use."""
    if _role(info) == "replica" and info.flag("slave_read_only", "replica_read_only") is not False:
        master = info.text("master_host") or "an unknown host"
        link = info.text("master_link_status") or "unknown"
        yield poll_results.Trouble(
            reason="read_only", text=f"INFO: a replica of {master}, whose link is {link}"
        )
    if info.flag("cluster_enabled") and not hashed:
        yield poll_results.Trouble(reason="cluster", text="INFO: cluster_enabled:1")
    if info.flag("loading"):
        yield poll_results.Trouble(reason="loading", text="INFO: loading:1")
    used, most = info.count("used_memory"), info.count("maxmemory")
    if (
        info.text("maxmemory_policy") == "noeviction"
        and used
        and most
        and used >= most - max(ROOM, most // 1000)
    ):
        yield poll_results.Trouble(
            reason="out_of_memory", text=f"INFO: used_memory:{used}, maxmemory:{most}, noeviction"
        )


def _writable(
    info: redis_info.Info, written: Any, troubles: Sequence[poll_results.Trouble]
) -> bool | None:
    """Return whether writes are taken; without LPUSHX only what INFO leaves no doubt about."""
    if troubles:
        return False
    if isinstance(written, int):
        return True
    if info.version is None or _failed_to_save(info) or info.text("min_slaves_good_slaves"):
        return None
    return None if _role(info) is None else True


def _failed_to_save(info: redis_info.Info) -> str | None:
    """Return the field that says that data cannot be kept, for which writes may be refused."""
    for name in ("rdb_last_bgsave_status", "aof_last_write_status"):
        if info.text(name) not in {None, "ok"}:
            return name
    return None


def _doubts(
    info: redis_info.Info, used: int | None, most: int | None, *, asked: bool
) -> Iterator[str]:
    policy = info.text("maxmemory_policy") or ""
    if most and policy.startswith("allkeys"):
        thrown = info.count("evicted_keys") or 0
        yield (
            f"The broker throws away messages when its memory is full (maxmemory-policy {policy}; "
            f"{thrown:,} keys so far): set noeviction, or give the queues a Redis of their own."
        )
    if most and used and used >= _NEAR * most:
        yield f"The broker uses {used / most:.0%} of the memory that it may (maxmemory {most:,} B)."
    failed = _failed_to_save(info)
    if failed and asked:
        yield (
            f"The broker cannot save its data ({failed}:{info.text(failed)}): a restart loses what "
            "waits. Look at its disk and its log."
        )
    elif failed:
        yield (
            f"The broker cannot save its data ({failed}:{info.text(failed)}), so it may refuse all "
            "writes; whether it does cannot be asked (LPUSHX, see broker-access.md)."
        )


def _role(info: redis_info.Info) -> str | None:
    """Return master or replica; active-replica, as KeyDB has it, takes writes like a master."""
    role = info.text("role")
    return {"slave": "replica", "active-replica": "master"}.get(role or "", role)


def _has_hash_tag(prefix: str) -> bool:
    """Tell whether all keys with this prefix have one slot of a cluster."""
    _before, opened, after = prefix.partition("{")
    return bool(opened) and after.find("}") > 0
