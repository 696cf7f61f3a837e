"""Celery's events from RabbitMQ: a queue of our own, its deliveries read as raw frames."""

from __future__ import annotations

import contextlib
import time
import uuid
from typing import TYPE_CHECKING, Any

import amqp
from amqp import exceptions

from celery_sentinel import errors
from celery_sentinel.brokers import amqp_frames, amqp_url, interface

if TYPE_CHECKING:
    from celery_sentinel import events, wire
    from celery_sentinel.config import schema

HEARTBEAT = 10  # seconds; RabbitMQ sends one each half of what was agreed
QUEUE_EXPIRES = 60.0  # seconds an abandoned queue stays
_FAILURES = (OSError, exceptions.AMQPError)


class AmqpStream:
    """A queue bound to the event exchange, consumed without acknowledgements.

    py-amqp connects, authenticates and declares; from then on its socket is read here, since
    the Message objects of py-amqp cost several times what decoding the events does. The queue
    has our own time to live and byte limit rather than Celery's five seconds.
    """

    def __init__(self, config: schema.Config, decoder: wire.Decoder) -> None:
        self._config = config
        self._addresses = amqp_url.addresses(config.broker)
        self._decoder = decoder
        self._connection: Any = None
        self._socket: Any = None
        self._frames = amqp_frames.FrameReader(decoder)
        self._heartbeat = float(HEARTBEAT)
        self._heard_at = self._beat_at = 0.0
        self._behind = False
        self._more = False  # the last read left something that has arrived
        self._failure: errors.BrokerError | None = None

    def connect(self) -> None:
        """Connect to the first broker of the list that answers, declare, bind and consume."""
        self.close()
        failures = []
        for arguments in self._addresses:
            try:
                self._open(arguments)
            except _FAILURES as error:
                self.close()
                failures.append(f"{arguments['host']}: {amqp_url.text_of(error)}")
            else:
                return
        raise errors.BrokerError("; ".join(failures))

    def _open(self, arguments: dict[str, Any]) -> None:
        connection = self._connection = amqp.Connection(
            **arguments,
            connect_timeout=interface.CONNECT_TIMEOUT,
            read_timeout=interface.CONNECT_TIMEOUT,
            write_timeout=interface.CONNECT_TIMEOUT,
            heartbeat=HEARTBEAT,
            client_properties={"product": "celery-sentinel"},
        )
        connection.connect()
        exchange = self._config.events.exchange
        self._declare_exchange(exchange)
        channel = connection.channel()
        queue = f"{self._config.events.queue_prefix}.sentinel.{uuid.uuid4()}"
        channel.queue_declare(
            queue, exclusive=True, auto_delete=True, arguments=self._queue_arguments()
        )
        channel.queue_bind(queue, exchange, "#")
        channel.basic_consume(queue, no_ack=True)
        self._heartbeat = float(connection.heartbeat or 0)
        self._socket = connection.transport.sock
        self._socket.settimeout(interface.READ_TIMEOUT)
        leftover = connection.transport._read_buffer  # noqa: SLF001 -- read ahead of us
        self._frames = amqp_frames.FrameReader(self._decoder, bytes(leftover))
        self._heard_at = self._beat_at = time.monotonic()
        self._behind = False

    def _declare_exchange(self, exchange: str) -> None:
        """Declare the event exchange as Celery does, unless it is there already.

        Asking first keeps a user without the right to configure it able to listen.
        """
        try:
            self._connection.channel().exchange_declare(exchange, "topic", passive=True)
        except exceptions.NotFound:
            self._connection.channel().exchange_declare(
                exchange, "topic", durable=True, auto_delete=False
            )

    def _queue_arguments(self) -> dict[str, int]:
        settings = self._config.events
        return {
            "x-message-ttl": int(settings.queue_ttl * 1000),
            "x-expires": int(QUEUE_EXPIRES * 1000),
            "x-max-length-bytes": settings.queue_max_bytes,
        }

    def read(self) -> list[events.Event]:
        """Return the events of one read of at most 256 KiB."""
        found: list[events.Event] = []
        if self._failure is not None:
            raise self._failure  # what came before it has been returned
        if self._socket is None:
            raise errors.BrokerError("not connected")
        try:
            data = b"" if self._more else self._socket.recv(interface.RECEIVE_BYTES)
        except TimeoutError:
            data = None
        except OSError as error:
            raise errors.BrokerError(amqp_url.text_of(error), reason=self._reason()) from error
        if data == b"" and not self._more:
            raise errors.BrokerError("closed by the server", reason=self._reason())
        try:
            self._more = self._frames.feed(data or b"", found)
        except errors.BrokerError as error:
            self._failure = error
        self._keep_alive(heard=bool(data))
        self._behind = self._more or len(data or b"") == interface.RECEIVE_BYTES
        return found

    def _keep_alive(self, *, heard: bool) -> None:
        """Send our heartbeat when it is due, and miss the server's."""
        now = time.monotonic()
        if heard:
            self._heard_at = now
        if not self._heartbeat:
            return
        if now - self._heard_at > 2 * self._heartbeat:
            raise errors.BrokerError("no heartbeat from the server", reason="watchdog")
        if now - self._beat_at >= self._heartbeat / 2:
            self._beat_at = now
            try:
                self._socket.sendall(amqp_frames.HEARTBEAT)
            except OSError as error:
                raise errors.BrokerError(amqp_url.text_of(error)) from error

    def _reason(self) -> str:
        return "slow_consumer" if self._behind else "error"

    def close(self) -> None:
        """Drop the connection, with a word of goodbye to the server where it still listens."""
        connection, socket = self._connection, self._socket
        self._connection = self._socket = self._failure = None
        self._more = False
        if socket is not None:
            with contextlib.suppress(OSError):  # it may be gone already
                socket.sendall(amqp_frames.CLOSE)
        if connection is not None:
            connection.collect()
