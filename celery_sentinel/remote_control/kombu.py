"""Remote control over the transports that only kombu speaks, by one consumer of its own."""

from __future__ import annotations

import collections
import uuid
from typing import TYPE_CHECKING, Any

import celery
import kombu

from celery_sentinel.remote_control import connection as control_connection

if TYPE_CHECKING:
    from celery_sentinel.config import schema

REPLY_QUEUE_EXPIRES = 60.0  # seconds without a consumer
# What kombu raises at a message that is none, before we see it; the next one is not affected.
_MALFORMED = (ValueError, LookupError, TypeError, AttributeError, RecursionError)


class KombuLine:
    """Celery's mailbox on a connection of kombu's.

    The one consumer takes no task, and acknowledges nothing, so it has nothing to give back when
    it closes. Redis and AMQP never come here.
    """

    def __init__(self, config: schema.Config) -> None:
        broker = config.broker
        self._app = celery.Celery("celery-sentinel", broker=broker.url, set_as_current=False)
        self._app.conf.broker_transport_options = dict(broker.transport_options)
        self._app.conf.control_exchange = broker.control_exchange
        self._routing_key = str(uuid.uuid4())
        self.reply_to = {
            "exchange": f"reply.{broker.control_exchange}.pidbox",
            "routing_key": self._routing_key,
        }
        self._connection: Any = None
        self._mailbox: Any = None
        self._queue: Any = None
        self._producer: Any = None
        self._arrived: collections.deque[Any] = collections.deque()

    def open(self) -> None:
        """Connect to the first broker that answers, and consume."""
        connection = self._connection = self._app.connection_for_write(
            connect_timeout=control_connection.TIMEOUT
        )
        # Each of several URLs once, but a single one twice.
        retries = max(1, len(connection.alt) - 1)
        connection.ensure_connection(max_retries=retries, timeout=control_connection.TIMEOUT)
        channel = connection.channel()
        self._mailbox = self._app.control.mailbox(connection)
        exchange = self._mailbox.reply_exchange
        self._producer = kombu.Producer(channel, auto_declare=False)
        self._queue = kombu.Queue(
            f"{self._routing_key}.{exchange.name}",
            exchange=exchange,
            routing_key=self._routing_key,
            durable=False,
            exclusive=True,
            auto_delete=True,
            expires=REPLY_QUEUE_EXPIRES,
        )(channel)
        kombu.Consumer(
            channel, [self._queue], on_message=self._arrived.append, no_ack=True
        ).consume()

    def prepare(self) -> bool:
        """Make our queue again where the transport has swept it away."""
        self._arrived.clear()
        self._queue.declare()
        return True

    def publish(self, message: dict[str, Any], headers: dict[str, Any]) -> None:
        """Send a message to all workers."""
        self._producer.publish(
            message,
            exchange=self._mailbox.exchange.name,
            declare=[self._mailbox.exchange],
            headers=headers,
            serializer="json",
            retry=False,
        )

    def receive(self, timeout: float) -> control_connection.Message | None:
        """Return the next answer."""
        while not self._arrived:
            try:
                self._connection.drain_events(timeout=timeout)
            except TimeoutError:
                return None
            except _MALFORMED as error:
                raise control_connection.MalformedError(
                    f"{type(error).__name__}: {error}"
                ) from None
        message = self._arrived.popleft()
        headers = message.headers
        ticket = headers.get("ticket") if isinstance(headers, dict) else None
        return control_connection.Message(ticket, message.content_type, message.body)

    def end(self) -> None:
        """Do nothing: what was read is gone from the queue."""

    def check(self) -> None:
        """Raise if the broker does not answer."""
        self._queue.declare()

    def close(self) -> None:
        """Remove the reply queue, so that late answers leave nothing behind, and disconnect."""
        connection = self._connection
        if connection is None:
            return
        try:
            self._queue.delete()
        except Exception:  # noqa: BLE001 -- any transport may raise its own; it expires
            connection.collect()
        self.drop()

    def drop(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.release()
        except Exception:  # noqa: BLE001 -- any transport may raise its own; it is gone
            connection.collect()
