"""Queue depths over any other kombu transport that can count, through kombu itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import kombu
from kombu.transport import virtual

from celery_sentinel import errors, poll_results
from celery_sentinel.brokers import protocols

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from celery_sentinel.config import schema

_NO_SUCH_QUEUE = frozenset({"DoesNotExistQueueException", "UndefinedQueueException"})  # of SQS


class KombuQueues:
    """Counts as kombu does; every transport answers in its own way.

    A passive declare would do, but on most transports that are no AMQP it makes the queue.
    """

    def __init__(self, config: schema.Config) -> None:
        self._broker = config.broker
        self._connection: Any = None
        self._channel: Any = None

    def read(self, names: Sequence[str]) -> poll_results.BrokerReading:
        """Return the depth of the queues; one that the transport does not know is unknown."""
        if self._connection is None:
            self._connection = kombu.Connection(
                self._broker.url,
                transport_options=self._broker.transport_options,
                connect_timeout=protocols.ANSWER_TIMEOUT,
            )
        try:
            self._connection.ensure_connection(max_retries=1, timeout=protocols.ANSWER_TIMEOUT)
            begun = time.perf_counter()
            found = {name: self._read_one(name) for name in names[:1]}
            round_trip = time.perf_counter() - begun if found else None
            found |= {name: self._read_one(name) for name in names[1:]}
        except (OSError, *self._connection.connection_errors) as error:
            self.close()
            raise errors.BrokerError(str(error) or type(error).__name__) from error
        return poll_results.BrokerReading(queues=found, round_trip=round_trip)

    def _read_one(self, name: str) -> poll_results.QueueReading:
        if self._channel is None:
            self._channel = self._connection.channel()
        try:
            return poll_results.QueueReading(length=_length(self._channel, name))
        except (*self._connection.channel_errors, LookupError):  # no such queue
            channel, self._channel = self._channel, None
            channel.close()
            return poll_results.QueueReading()

    def discover(self) -> Iterable[tuple[str, str]]:
        """Return nothing: kombu has no way to ask for queues."""
        return []

    def elsewhere(self) -> Sequence[str]:
        """Return nothing: kombu knows no other places."""
        return ()

    def close(self) -> None:
        """Drop the connection."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            connection.release()


def _length(channel: Any, name: str) -> int | None:
    """Return the number of messages ready, None for a queue that is known not to be."""
    if not isinstance(channel, virtual.Channel):
        return int(channel.queue_declare(name, passive=True).message_count)
    if not channel._has_queue(name) or not _resolves(channel, name):  # noqa: SLF001 -- see above
        return None
    return int(channel._size(name))  # noqa: SLF001 -- see above


def _resolves(channel: Any, name: str) -> bool:
    """Tell whether a queue of SQS exists; there, and only there, even counting would make it."""
    resolve = getattr(channel, "_resolve_queue_url", None)
    if resolve is None:
        return True
    try:
        resolve(name)
    except Exception as error:
        if type(error).__name__ in _NO_SUCH_QUEUE:
            return False
        raise
    return True
