"""Celery's events from RabbitMQ: a queue of our own, its deliveries read as raw frames."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from amqp import exceptions

from celery_sentinel import errors
from celery_sentinel.brokers import protocols, socket_reader
from celery_sentinel.brokers.amqp import (
    acknowledgements,
    connection as amqp_connection,
    event_queue,
    frames as amqp_frames,
    url as amqp_url,
)

if TYPE_CHECKING:
    from celery_sentinel.config import schema
    from celery_sentinel.events import decoding
    from celery_sentinel.events.event import Event

HEARTBEAT = 10  # seconds; RabbitMQ sends one each half of what was agreed
GOODBYE_WITHIN = 1.0  # seconds for the server to take our last acknowledgement
_FAILURES = (*amqp_connection.FAILURES, errors.BrokerError)


class AmqpStream:
    """A queue bound to the event exchange, consumed as raw frames.

    py-amqp connects, authenticates and declares; from then on its socket is read here, since
    the Message objects of py-amqp cost several times what decoding the events does. The queue
    has our own time to live and byte limit rather than Celery's five seconds. A durable one is
    acknowledged, after the events were applied; a private one needs no acknowledgements.
    """

    def __init__(self, config: schema.Config, decoder: decoding.Decoder) -> None:
        self._addresses = amqp_url.addresses(config.broker)
        self._cap = config.events.queue_max_bytes
        self._queue = event_queue.OwnQueue(config)
        self._receipts = acknowledgements.Receipts()
        self._decoder = decoder
        self._connection: Any = None
        self._socket_reader: socket_reader.SocketReader | None = None
        self._frames = amqp_frames.FrameReader(decoder)
        self._acknowledged: acknowledgements.AcknowledgedFrames | None = None
        self._heartbeat = float(HEARTBEAT)
        self._more = False  # the last read left something that has arrived
        self._beat_at = 0.0
        self._failure: errors.BrokerError | None = None
        self._server_gone = False  # seen to be away since we were last connected
        self.durable = self._queue.durable
        self.kept = False

    def connect(self) -> None:
        """Connect to the first broker of the list that answers, declare, bind and consume."""
        self.close()
        amqp_connection.first_by(self._addresses, self._attempt, failures=_FAILURES)

    def _attempt(self, arguments: dict[str, Any]) -> None:
        try:
            self._open(arguments)
        except _FAILURES as error:
            self._connection, connection = None, self._connection
            if connection is not None:
                connection.collect()
            self._server_gone |= _is_away(error)
            raise

    def _open(self, arguments: dict[str, Any]) -> None:
        connection = self._connection = amqp_connection.opened(
            arguments, timeout=protocols.CONNECT_TIMEOUT, heartbeat=HEARTBEAT
        )
        consumed = self._queue.consume(connection)
        self._heartbeat = float(connection.heartbeat or 0)
        self._socket_reader = socket_reader.SocketReader(connection.transport.sock)
        self._beat_at = time.monotonic()
        leftover = bytes(connection.transport._read_buffer)  # noqa: SLF001 -- read ahead of us
        if self.durable:
            self._frames = self._acknowledged = acknowledgements.AcknowledgedFrames(
                self._decoder,
                leftover,
                receipts=self._receipts,
                consumed=consumed,
                cap=self._cap,
            )
        else:
            self._frames = amqp_frames.FrameReader(self._decoder, leftover)
        # Celery marks events as transient: a broker that was away has forgotten them.
        self.kept = consumed.existed and not self._server_gone
        self._server_gone = False

    @property
    def heard_at(self) -> float:
        """When bytes last came (monotonic), heartbeats of the server among them."""
        return self._socket_reader.heard_at if self._socket_reader else 0.0

    def overflowed(self) -> bool:
        """Tell, once, that what waited in the durable queue had filled it."""
        frames = self._acknowledged
        found = frames is not None and frames.overflowed
        if frames is not None and found:
            frames.overflowed = False
        return found

    def read(self) -> list[Event]:
        """Return the events of at most 256 KiB."""
        if self._failure is not None:
            raise self._failure  # what came before it has been returned
        if self._socket_reader is None:
            raise errors.BrokerError("not connected")
        found: list[Event] = []
        try:
            # What was returned before has been applied by now.
            self._acknowledge(self._socket_reader, at_least=acknowledgements.ACK_EACH)
            data = b"" if self._more else self._socket_reader.read()
        except errors.BrokerError as error:
            self._failure = error
            raise
        try:
            self._more = self._frames.feed(data or b"", found)
            self._keep_alive(self._socket_reader, quiet=data is None)
        except errors.BrokerError as error:
            self._failure = error
        return found

    def _acknowledge(self, line: socket_reader.SocketReader, *, at_least: int = 1) -> None:
        if self._acknowledged is not None:
            frame = self._acknowledged.acknowledgement(at_least=at_least)
            if frame:
                line.send(frame)

    def _keep_alive(self, line: socket_reader.SocketReader, *, quiet: bool) -> None:
        """Send what is due in a quiet moment, our heartbeat too, and miss the server's."""
        now = time.monotonic()
        if quiet:
            self._acknowledge(line)
        if not self._heartbeat:
            return
        if quiet and now - line.heard_at > 2 * self._heartbeat:
            raise errors.BrokerError(
                "no heartbeat from the server", reason="watchdog", since=line.heard_at
            )
        if now - self._beat_at >= self._heartbeat / 2:
            self._beat_at = now
            line.send(amqp_frames.HEARTBEAT)

    def close(self) -> None:
        """Drop the connection, with a word of goodbye to the server where it still listens."""
        connection, line, failure = self._connection, self._socket_reader, self._failure
        self._connection = self._socket_reader = self._failure = None
        if line is not None and failure is None:
            with contextlib.suppress(errors.BrokerError):  # it may be gone already
                self._acknowledge(line)
                line.send(amqp_frames.CLOSE)
                if self.durable:
                    line.finish(GOODBYE_WITHIN)
        self._acknowledged, self._more = None, False
        if connection is not None:
            connection.collect()


def _is_away(error: BaseException) -> bool:
    """Tell whether a failure to connect means that the server does not run, or did not.

    A time-out is the network's; what the server answers shows that it runs.
    """
    if isinstance(error, TimeoutError):
        return False
    return isinstance(error, OSError | exceptions.ConnectionForced)
