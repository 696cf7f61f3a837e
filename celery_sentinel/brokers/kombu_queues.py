"""Queue depths over any other kombu transport that can count, through kombu itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import kombu

from celery_sentinel import errors, readings
from celery_sentinel.brokers import queue_reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from celery_sentinel.config import schema


class KombuQueues:
    """Asks with a passive declare, which every transport of kombu's answers in its own way."""

    def __init__(self, config: schema.Config) -> None:
        self._broker = config.broker
        self._connection: Any = None
        self._channel: Any = None

    def read(self, names: Sequence[str]) -> readings.BrokerReading:
        """Return the depth of the queues; one that the transport does not know is unknown."""
        begun = time.perf_counter()
        if self._connection is None:
            self._connection = kombu.Connection(
                self._broker.url,
                transport_options=self._broker.transport_options,
                connect_timeout=queue_reader.TIMEOUT,
            )
        try:
            self._connection.ensure_connection(max_retries=1, timeout=queue_reader.TIMEOUT)
            round_trip = time.perf_counter() - begun
            found = {name: self._read_one(name) for name in names}
        except (OSError, *self._connection.connection_errors) as error:
            self.close()
            raise errors.BrokerError(str(error) or type(error).__name__) from error
        return readings.BrokerReading(queues=found, round_trip=round_trip)

    def _read_one(self, name: str) -> readings.QueueReading:
        if self._channel is None:
            self._channel = self._connection.channel()
        try:
            declared = self._channel.queue_declare(name, passive=True)
        except self._connection.channel_errors:
            self._channel = None
            return readings.QueueReading()
        return readings.QueueReading(length=int(declared.message_count))

    def discover(self) -> Iterable[tuple[str, str]]:
        """Return nothing: kombu has no way to ask for queues."""
        return []

    def close(self) -> None:
        """Drop the connection."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            connection.release()
