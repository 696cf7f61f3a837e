"""Opens the connection over which the polls ask Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import redis
from redis import backoff, retry

from celery_sentinel.brokers import failure_reasons, protocols

if TYPE_CHECKING:
    from celery_sentinel.brokers.redis import nodes as redis_nodes, url as redis_url


def connect(nodes: redis_nodes.Nodes) -> redis.Redis:
    """Return a client of the first address that answers, or of Sentinel's master.

    Raises ``errors.BrokerError``.
    """
    return nodes.first(_opened)


def _opened(address: redis_url.Address) -> redis.Redis:
    client = _client(address)
    try:
        ping(client)
    except (redis.RedisError, OSError):
        client.connection_pool.disconnect()
        raise
    return client


def ping(client: redis.Redis) -> None:
    """Ask whether the server is there; one that refuses all writes refuses this as well."""
    try:
        client.ping()
    except redis.ResponseError as error:
        if failure_reasons.of(error) != "misconfigured":
            raise


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
