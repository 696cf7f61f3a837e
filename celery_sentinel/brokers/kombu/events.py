"""Celery's events over any other kombu transport, if it can fan out, at kombu's own pace."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

import kombu
from celery.events import event as celery_event

from celery_sentinel import errors, logs
from celery_sentinel.brokers import protocols
from celery_sentinel.brokers.kombu import queues as kombu_queues

if TYPE_CHECKING:
    from celery_sentinel.config import schema
    from celery_sentinel.events import decoding
    from celery_sentinel.events.event import Event

MESSAGES_A_READ = 500
LOOK_EACH = 15.0  # seconds between two looks whether a broker without events is there


def why_no_events(broker: schema.Broker) -> str | None:
    """Return why Celery can send no events over this transport, None where it can.

    Without fanout each process of kombu's keeps its own table of who wants what, so nobody
    would learn of our queue; over SQL Celery's event dispatcher turns itself off.
    """
    transport = kombu.Connection(broker.url, transport_options=broker.transport_options).transport
    for failure in (*transport.connection_errors, *transport.channel_errors):
        if not (isinstance(failure, type) and issubclass(failure, BaseException)):
            raise TypeError(f"{failure!r} stands where it names its errors")
    if "fanout" in transport.implements.exchange_type and transport.driver_type != "sql":
        return None
    return (
        f"kombu's transport {broker.url.partition('://')[0]!r} cannot fan out, so Celery sends no "
        "events over it and workers do not answer: only the depths of the queues named under "
        "queues.watch are known"
    )


class SilentStream:
    """The stream of a broker that carries no events: up while the broker can be asked."""

    durable = kept = False

    def __init__(self, config: schema.Config, reason: str) -> None:
        self._reader = kombu_queues.KombuQueues(config)
        self._asked_for = config.queues.watch[:1]  # many a transport connects no sooner
        self._reason: str | None = reason
        self._look_at = self.heard_at = 0.0

    def connect(self) -> None:
        """Look whether the broker is there; say at the first time what is missing."""
        if self._reason is not None:
            logs.get(__name__).warning("events_impossible", reason=self._reason)
            self._reason = None
        self._reader.read(self._asked_for)
        self.heard_at = time.monotonic()
        self._look_at = self.heard_at + LOOK_EACH

    def read(self) -> list[Event]:
        """Return nothing, after a moment; look now and then whether the broker is still there."""
        if time.monotonic() >= self._look_at:
            self.connect()
        time.sleep(protocols.READ_TIMEOUT)
        return []

    def overflowed(self) -> bool:
        """Tell that nothing was kept that could have been too much."""
        return False

    def close(self) -> None:
        """Drop the connection."""
        self._reader.close()


class KombuStream:
    """A kombu consumer on the event exchange; message bodies are decoded by events/decoding.py.

    Most transports have no sign of life but their messages; so each read without an error is one.
    """

    durable = kept = False

    def __init__(self, config: schema.Config, decoder: decoding.Decoder) -> None:
        self.heard_at = 0.0
        self._config = config
        self._decoder = decoder
        self._found: list[Event] = []
        self._connection: Any = None
        self._consumer: Any = None

    def connect(self) -> None:
        """Connect, declare the exchange as Celery does, and consume from a queue of our own."""
        self.close()
        broker, settings = self._config.broker, self._config.events
        connection = self._connection = kombu.Connection(
            broker.url,
            transport_options=broker.transport_options,
            connect_timeout=protocols.CONNECT_TIMEOUT,
        )
        try:
            channel = connection.channel()
            exchange = celery_event.get_exchange(connection, name=settings.exchange)
            queue = kombu.Queue(
                f"{settings.queue_prefix}.sentinel.{uuid.uuid4()}",
                exchange=exchange,
                routing_key="#",
                auto_delete=True,
                durable=False,
                expires=settings.queue_ttl,
            )
            self._consumer = kombu.Consumer(
                channel, [queue], on_message=self._on_message, no_ack=True, accept=["json"]
            )
            self._consumer.consume()
        except self._failures() as error:
            raise errors.BrokerError(str(error) or type(error).__name__) from error

    def _failures(self) -> tuple[type[BaseException], ...]:
        connection = self._connection
        return (*connection.connection_errors, *connection.channel_errors, OSError)

    def read(self) -> list[Event]:
        """Return the events of up to 500 messages, or of half a second."""
        if self._connection is None:
            raise errors.BrokerError("not connected")
        self._found = []
        deadline = time.monotonic() + protocols.READ_TIMEOUT
        try:
            for _ in range(MESSAGES_A_READ):
                self._connection.drain_events(timeout=max(0.01, deadline - time.monotonic()))
                if time.monotonic() >= deadline:
                    break
        except TimeoutError:
            pass
        except self._failures() as error:
            raise errors.BrokerError(
                str(error) or type(error).__name__, since=self.heard_at or None
            ) from error
        self.heard_at = time.monotonic()
        return self._found

    def _on_message(self, message: Any) -> None:
        body = message.body
        self._decoder.body(
            body.encode("utf-8", "surrogatepass") if isinstance(body, str) else bytes(body),
            self._found,
            content_type=message.content_type or "",
        )

    def overflowed(self) -> bool:
        """Tell that nothing was kept that could have been too much."""
        return False

    def close(self) -> None:
        """Cancel the consumer, which deletes its queue, and drop the connection."""
        consumer, connection = self._consumer, self._connection
        self._consumer = self._connection = None
        for part, end in ((consumer, "cancel"), (connection, "release")):
            if part is not None:
                try:
                    getattr(part, end)()
                except (OSError, *connection.connection_errors):
                    pass  # it broke before we could say goodbye
