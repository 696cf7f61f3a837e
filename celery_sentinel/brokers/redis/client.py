"""Opens the connection over which the polls ask Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import redis
from redis import backoff, retry

from celery_sentinel.brokers import failure_reasons, protocols

if TYPE_CHECKING:
    from collections.abc import Sequence

    from celery_sentinel.brokers.redis import nodes as redis_nodes, url as redis_url


def connect(nodes: redis_nodes.Nodes) -> redis.Redis:
    """Return a client of the first address that answers, or of Sentinel's master.

    Raises what redis-py does, and ``errors.BrokerError`` when no sentinel knows a master.
    """
    failures = []
    for address in nodes.find():
        client = _client(address)
        try:
            ping(client)
        except (redis.RedisError, OSError) as error:
            client.connection_pool.disconnect()
            failures.append((address.where, error))
        else:
            return client
    told = "; ".join(f"{where}: {error}" for where, error in failures)
    raise redis.ConnectionError(told or "no address to connect to") from _only(failures)


def ping(client: redis.Redis) -> None:
    """Ask whether the server is there; one that refuses all writes refuses this as well."""
    try:
        client.ping()
    except redis.ResponseError as error:
        if failure_reasons.of(error) != "misconfigured":
            raise


def _only(failures: Sequence[tuple[str, Exception]]) -> Exception | None:
    """Return the cause where there was but one address: its class says more than its text."""
    return failures[0][1] if len(failures) == 1 else None


def _client(address: redis_url.Address) -> redis.Redis:
    timeouts = {"socket_timeout": protocols.ANSWER_TIMEOUT}
    if "socket_connect_timeout" in address.arguments:  # a unix socket has none
        timeouts["socket_connect_timeout"] = protocols.ANSWER_TIMEOUT
    pool: Any = redis.ConnectionPool(
        connection_class=address.connection_class,
        **{**address.arguments, **timeouts},
        protocol=2,
        retry=retry.Retry(backoff.NoBackoff(), 0),
    )
    return redis.Redis(connection_pool=pool)
