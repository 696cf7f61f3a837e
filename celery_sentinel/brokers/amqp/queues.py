"""Queue depths from RabbitMQ: passive declares, and its management API where there is one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from amqp import exceptions

from celery_sentinel import errors, poll_results
from celery_sentinel.brokers import failover, protocols
from celery_sentinel.brokers.amqp import (
    condition as amqp_condition,
    connection as amqp_connection,
    elsewhere as amqp_elsewhere,
    url as amqp_url,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from celery_sentinel.brokers.amqp import management_api
    from celery_sentinel.config import schema

# Native delayed delivery keeps messages in celery_delayed_0 to _27, one for each bit of the delay.
DELAYED_PREFIX = "celery_delayed_"
DELAYED_LEVELS = 28
DELAYED_AGAIN = 60.0  # seconds before we look again whether there are such queues
_FAILURES = amqp_connection.FAILURES
# Errors that close the channel, not the connection, and say something about one queue only.
_OF_THE_QUEUE = (exceptions.NotFound, exceptions.ResourceLocked, exceptions.AccessRefused)


class AmqpQueues:
    """Declares each queue passively, on a connection and channel of its own.

    A queue that is missing, exclusive to another or forbidden is unknown. With the management
    API unacked messages and queues nobody told us of are known as well; its figures lag by
    seconds, so lengths stay ours, and when it fails they do not.
    """

    def __init__(self, config: schema.Config) -> None:
        self._addresses = amqp_url.addresses(config.broker)
        self._config = config
        self._management = _management_of(config)
        self._condition = amqp_condition.AmqpCondition(
            self._management, interval=config.polling.queues
        )
        self._connection: Any = None
        self._channel: Any = None
        self._no_delayed_until = 0.0

    def read(self, names: Sequence[str]) -> poll_results.BrokerReading:
        """Return depth and consumers of the queues, and the sum of the delayed ones."""
        try:
            round_trip = self._begin()
            found = {name: self._read_one(name) for name in names}
            delayed = self._delayed()
            self._channel.close()
        except _FAILURES as error:
            self.close()
            raise errors.BrokerError(failover.text_of(error)) from error
        if self._management is not None:
            self._management.refresh()
            unacked = self._management.unacked
            found = {name: _with_unacked(one, unacked.get(name)) for name, one in found.items()}
        return poll_results.BrokerReading(
            queues=found,
            round_trip=round_trip,
            delayed=delayed,
            trouble=self._management.trouble if self._management else None,
            condition=self._condition.look(self._connection.server_properties or {}),
        )

    def _begin(self) -> float:
        """Open a channel and return the seconds it took.

        A connection that was closed while it was idle is opened again at once.
        """
        idle = self._connection is not None
        try:
            return self._open_channel()
        except _FAILURES as error:
            if not idle or isinstance(error, TimeoutError):
                raise
            self.close()
            return self._open_channel()

    def _open_channel(self) -> float:
        self._connect()
        begun = time.perf_counter()
        self._channel = self._connection.channel()
        return time.perf_counter() - begun

    def _read_one(self, name: str) -> poll_results.QueueReading:
        declared = self._declared(name)
        if declared is None:
            return poll_results.QueueReading()
        length, consumers = declared
        return poll_results.QueueReading(length=length, consumers=consumers)

    def _declared(self, name: str) -> tuple[int, int] | None:
        """Return messages ready and consumers, None for a queue that cannot be looked at."""
        if not 0 < len(name.encode("utf-8", "replace")) <= amqp_url.LONGEST_NAME:
            return None
        try:
            declared = self._channel.queue_declare(name, passive=True)
        except _OF_THE_QUEUE:  # the server has closed the channel, and py-amqp opened it again
            return None
        return declared.message_count, declared.consumer_count

    def _delayed(self) -> int | None:
        """Return how many messages wait in native delayed delivery, None without it."""
        now = time.monotonic()
        if now < self._no_delayed_until:
            return None
        total = 0
        for level in reversed(range(DELAYED_LEVELS)):
            declared = self._declared(f"{DELAYED_PREFIX}{level}")
            if declared is None:
                self._no_delayed_until = now + DELAYED_AGAIN
                return None
            total += declared[0]
        return total

    def discover(self) -> Iterable[tuple[str, str]]:
        """Return the queues that the management API lists."""
        if self._management is None:
            return []
        self._management.refresh()
        return [(name, "management") for name in self._management.names]

    def elsewhere(self) -> Sequence[str]:
        """Return where Celery is, other than where we look."""
        try:
            self._begin()
            self._channel.close()
            here = self._addresses[0]["virtual_host"]
            return amqp_elsewhere.look(self._config, here, self._management, self._connection)
        except _FAILURES as error:
            self.close()
            raise errors.BrokerError(failover.text_of(error)) from error

    def _connect(self) -> None:
        if self._connection is None:
            self._connection = amqp_connection.first(
                self._addresses, timeout=protocols.ANSWER_TIMEOUT
            )

    def close(self) -> None:
        """Drop the connection."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            connection.collect()


def _management_of(config: schema.Config) -> management_api.ManagementApi | None:
    """Return the API at ``broker.management_url``, None where it is not configured."""
    url = config.broker.management_url
    if url is None:
        return None
    from celery_sentinel.brokers.amqp import management_api  # noqa: PLC0415 -- httpx only where it is needed

    return management_api.ManagementApi(url, config.broker, event_prefix=config.events.queue_prefix)


def _with_unacked(one: poll_results.QueueReading, unacked: int | None) -> poll_results.QueueReading:
    if unacked is None:
        return one
    return poll_results.QueueReading(length=one.length, consumers=one.consumers, unacked=unacked)
