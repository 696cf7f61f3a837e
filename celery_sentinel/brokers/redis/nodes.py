"""Finds the Redis servers to talk to: those of the URL, or the master that Sentinel knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import redis
from redis import sentinel

from celery_sentinel import errors
from celery_sentinel.brokers import failover, other_servers, protocols
from celery_sentinel.brokers.redis import url as redis_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from celery_sentinel.config import schema


T = TypeVar("T")

FAILURES = (redis.RedisError, OSError)


class Nodes:
    """The addresses of a broker URL, best first."""

    def __init__(self, broker: schema.Broker) -> None:
        self.addresses = redis_url.addresses(broker)
        self.master = redis_url.master_name(broker)
        self._options = broker.transport_options

    def first(self, attempt: Callable[[redis_url.Address], T]) -> T:
        """Return what ``attempt`` makes of the first server for which it does not fail.

        Raises ``errors.BrokerError``.
        """
        return failover.first_reachable(
            self.find(),
            attempt,
            place=lambda address: failover.Place(address.where, address.host, address.port or None),
            expected=other_servers.Server("redis", tls=self.addresses[0].by_tls),
            failures=FAILURES,
        )

    def find(self) -> list[redis_url.Address]:
        """Return where to connect; asks the sentinels for the master where there are any.

        Raises ``errors.BrokerError`` when no sentinel knows one.
        """
        if self.master is None:
            return self.addresses
        asked = sentinel.Sentinel(
            [(address.host, address.port) for address in self.addresses],
            min_other_sentinels=int(self._options.get("min_other_sentinels", 0)),
            sentinel_kwargs={
                "socket_timeout": protocols.CONNECT_TIMEOUT,
                **redis_url.NO_INTRODUCTION,
                **(self._options.get("sentinel_kwargs") or {}),
            },
        )
        try:
            host, port = asked.discover_master(self.master)
        except (redis.RedisError, OSError) as error:
            raise errors.BrokerError(f"sentinel: {error}") from error
        finally:
            for client in asked.sentinels:
                client.close()
        return [self.addresses[0].at(host, port)]
