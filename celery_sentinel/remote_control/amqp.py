"""Remote control over AMQP: a reply queue of our own, and no exchange that we would make."""

from __future__ import annotations

import collections
import contextlib
import json
import struct
import time
import uuid
from typing import TYPE_CHECKING, Any

import amqp
from amqp import exceptions

from celery_sentinel import errors
from celery_sentinel.brokers.amqp import connection as amqp_connection, url as amqp_url
from celery_sentinel.remote_control import connection as control_connection

if TYPE_CHECKING:
    from celery_sentinel.config import schema

REPLY_QUEUE_EXPIRES = 60_000  # milliseconds it would outlive us, were it not exclusive
CALLED_FORTH_LOOKS, CALLED_FORTH_EACH = 5, 0.2  # seconds between looks for what workers make
_FAILURES = amqp_connection.FAILURES
# What py-amqp raises at a message that is none, before we see it.
_MALFORMED = (ValueError, LookupError, TypeError, AttributeError, RecursionError, struct.error)


class AmqpLine:
    """Speaks to the exchanges that the workers make, and only asks whether they are there.

    Workers make the exchange of questions when they begin to listen, that of answers when they
    meet other workers or answer for the first time: where it is not there, one question goes out
    whose answers are lost. Our queue is exclusive, so it goes with the connection.
    """

    def __init__(self, config: schema.Config) -> None:
        exchange = config.broker.control_exchange
        self.reply_to = {"exchange": f"reply.{exchange}.pidbox", "routing_key": ""}
        self._exchange = f"{exchange}.pidbox"
        self._addresses = amqp_url.addresses(config.broker)
        self._connection: Any = None
        self._channel: Any = None
        self._queue = ""
        self._bound = False
        self._arrived: collections.deque[Any] = collections.deque()

    def open(self) -> None:
        """Connect to the first broker of the list that answers, and make our queue."""
        amqp_connection.first_by(self._addresses, self._attempt)

    def _attempt(self, arguments: dict[str, Any]) -> None:
        connection = self._connection = amqp_connection.opened(
            arguments, timeout=control_connection.TIMEOUT, on_blocked=_blocked
        )
        try:
            self._consume()
        except _FAILURES:
            self._connection = None
            connection.collect()
            raise

    def _consume(self) -> None:
        # A new name each time: an exclusive queue may outlive its connection for a while.
        routing_key = self.reply_to["routing_key"] = str(uuid.uuid4())
        self._queue = f"{routing_key}.{self.reply_to['exchange']}"
        self._bound = False
        self._arrived.clear()
        channel = self._channel = self._connection.channel()
        channel.auto_decode = False  # an answer says itself how, and may say anything
        channel.queue_declare(
            self._queue,
            exclusive=True,
            auto_delete=True,
            arguments={"x-expires": REPLY_QUEUE_EXPIRES},
        )
        channel.basic_consume(self._queue, no_ack=True, callback=self._arrived.append)

    def prepare(self) -> bool:
        """Bind our queue as soon as there is something to bind it to; drop late answers."""
        self._arrived.clear()
        listened = self._is_there(self._exchange, "fanout")
        if listened and not self._bound and self._is_answered():
            self._channel.queue_bind(
                self._queue, self.reply_to["exchange"], self.reply_to["routing_key"]
            )
            self._bound = True
        return listened

    def _is_answered(self) -> bool:
        """Tell whether there is an exchange of answers; let the workers make it where not."""
        exchange = self.reply_to["exchange"]
        if self._is_there(exchange, "direct"):
            return True
        ticket = str(uuid.uuid4())  # that we ask nothing by
        question = {"method": "stats", "destination": None, "ticket": ticket}
        self.publish({**question, "reply_to": self.reply_to}, {})
        for _ in range(CALLED_FORTH_LOOKS):
            time.sleep(CALLED_FORTH_EACH)
            if self._is_there(exchange, "direct"):
                return True
        return False

    def _is_there(self, exchange: str, kind: str) -> bool:
        try:
            with amqp_connection.lent_channel(self._connection) as channel:
                channel.exchange_declare(exchange, kind, passive=True)
        except exceptions.NotFound:
            return False
        return True

    def publish(self, message: dict[str, Any], headers: dict[str, Any]) -> None:
        """Send a message to all workers."""
        content = amqp.Message(
            json.dumps(message),
            content_type="application/json",
            content_encoding="utf-8",
            delivery_mode=1,
            application_headers=headers,
        )
        self._channel.basic_publish(content, self._exchange)

    def receive(self, timeout: float) -> control_connection.Message | None:
        """Return the next answer."""
        while not self._arrived:
            try:
                self._connection.drain_events(timeout=timeout)
            except TimeoutError:
                return None
            except _MALFORMED as error:
                if isinstance(error, OSError | exceptions.AMQPError):
                    raise
                raise control_connection.MalformedError(
                    f"{type(error).__name__}: {error}"
                ) from None
        message = self._arrived.popleft()
        headers = message.properties.get("application_headers")
        ticket = headers.get("ticket") if isinstance(headers, dict) else None
        return control_connection.Message(
            ticket, message.properties.get("content_type"), message.body
        )

    def end(self) -> None:
        """Do nothing: what was read is gone from the queue."""

    def check(self) -> None:
        """Raise if the broker does not answer, or our queue is gone."""
        self._channel.queue_declare(self._queue, passive=True)

    def close(self) -> None:
        """Say goodbye; our queue goes with the connection."""
        if self._connection is not None:
            with contextlib.suppress(*_FAILURES):
                self._connection.close()
        self.drop()

    def drop(self) -> None:
        """Disconnect at once."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            connection.collect()


def _blocked(_: str) -> None:
    """Say why no answer will come: RabbitMQ reads nothing more of who publishes amid an alarm."""
    raise errors.BrokerError(
        "connection.blocked: an alarm of RabbitMQ (memory or disk) holds up all that is published"
    )
