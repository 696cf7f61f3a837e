"""Asks all workers at once over Celery's remote control and gathers what they answer."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sized
from typing import TYPE_CHECKING, Any

import kombu

from celery_sentinel import errors, logs, readings
from celery_sentinel.brokers import control_connection, replies

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from celery_sentinel.config import schema

REPLY_QUEUE_EXPIRES = 60.0  # seconds without a consumer
ROOM = 64 * 1024 * 1024  # bytes of answers kept of one round; of a fleet of 2,000 some 20 MB
NOT_FOUND = 404  # reply code of AMQP
AT_HAND = 0.05  # seconds in which an answer that is already there is read
# What kombu raises at a message that is none, before we see it; the next one is not affected.
MALFORMED = (ValueError, LookupError, TypeError, AttributeError, RecursionError)


class Control:
    """One connection, one reply queue and one consumer for its whole life; used by one thread.

    Celery's own ``inspect`` makes a new reply queue for each call, which on Redis costs every
    other call its answers. ``unreadable`` counts answers that were no answers.
    """

    def __init__(self, config: schema.Config) -> None:
        self.unreadable = 0
        self._connector = control_connection.Connector(config.broker)
        self._reply_key = str(uuid.uuid4())
        self._connection: Any = None
        self._mailbox: Any = None
        self._reply_queue: Any = None
        self._producer: Any = None
        self._tickets: dict[str, str] = {}
        self._answers: list[replies.Answer] = []
        self._awaited: set[tuple[str, str]] = set()
        self._room = ROOM
        self._refused = ""  # why the last unreadable answer of this round was so

    def ask(
        self, *, expected: Collection[str], timeout: float, among: Sequence[str] | None = None
    ) -> list[readings.WorkerReading]:
        """Ask all workers, or those ``among``, all questions.

        Returns once all node names ``expected`` have answered; without any, or if one does
        not, after ``timeout`` seconds, or twice that while answers keep coming. Others are in
        the result as far as they answered until then. Raises ``errors.BrokerError``.
        """
        try:
            self._connect()
            self._answers, self._refused, self._room = [], "", ROOM
            self._awaited = {(name, asked) for name in expected for asked in replies.QUESTIONS}
            self._tickets = {str(uuid.uuid4()): question for question in replies.QUESTIONS}
            self._reply_queue.declare()  # kombu sweeps the binding of a queue long unused
            for ticket, question in self._tickets.items():
                self._publish(question, destination=among, ticket=ticket, timeout=timeout)
            if not self._gather(timeout):
                # Silence is the workers' only if the broker itself is still there to carry a word.
                self._reply_queue.declare()
        except Exception as error:
            self._disconnect()
            raise errors.BrokerError(str(error) or type(error).__name__) from error
        if self._refused and not self._answers:
            raise errors.BrokerError(f"no answer could be read: {self._refused}")
        return replies.merge(self._answers)

    def tell(self, command: str, destination: Sequence[str]) -> None:
        """Send a command to these workers without waiting for an answer."""
        try:
            self._connect()
            self._publish(command, destination=destination)
        except Exception as error:
            self._disconnect()
            raise errors.BrokerError(str(error) or type(error).__name__) from error

    def close(self) -> None:
        """Remove the reply queue, so that late answers leave nothing behind, and disconnect."""
        if self._connection is None:
            return
        try:
            self._reply_queue.delete()
        except Exception as error:  # noqa: BLE001 -- any transport may raise its own
            logs.get(__name__).warning("reply_queue_left", error=str(error) or repr(error))
            self._connection.collect()
        self._disconnect()

    def _publish(
        self,
        command: str,
        *,
        destination: Sequence[str] | None = None,
        ticket: str | None = None,
        timeout: float | None = None,
    ) -> None:
        asked = replies.QUESTIONS.get(command)
        message: dict[str, Any] = {
            "method": command,
            "arguments": asked.arguments if asked else {},
            "destination": None if destination is None else list(destination),
            "pattern": None,
            "matcher": None,
        }
        if ticket is not None:
            exchange = self._mailbox.reply_exchange.name
            message["ticket"] = ticket
            message["reply_to"] = {"exchange": exchange, "routing_key": self._reply_key}
        self._producer.publish(
            message,
            exchange=self._mailbox.exchange.name,
            declare=[self._mailbox.exchange],
            headers={
                "clock": self._mailbox.clock.forward(),
                "expires": time.time() + timeout if timeout else 0,
            },
            serializer="json",
            retry=False,
        )

    def _gather(self, timeout: float) -> bool:
        """Read answers; tell whether all that were awaited came."""
        deadline = time.monotonic() + timeout
        everybody = not self._awaited
        while everybody or self._awaited:
            now = time.monotonic()
            if now >= deadline + timeout:
                return False
            try:
                self._connection.drain_events(timeout=max(deadline - now, AT_HAND))
            except TimeoutError:
                return False
            except MALFORMED as error:
                self._refuse(f"{type(error).__name__}: {error}")
        return True

    def _on_message(self, message: Any) -> None:
        """Keep an answer to a question of this round; late ones are no concern of ours."""
        headers = message.headers
        ticket = headers.get("ticket") if isinstance(headers, dict) else None
        if not isinstance(ticket, str):
            self.unreadable += 1
            return
        question = self._tickets.get(ticket)
        if question is None:
            return
        self._room -= len(message.body) if isinstance(message.body, Sized) else 0
        if self._room < 0:
            self._refuse(f"answers of more than {ROOM} bytes in one round")
            return
        try:
            answer = replies.read(question, message.content_type, message.body)
        except ValueError as error:
            self._refuse(str(error))
            return
        self._answers.append(answer)
        self._awaited.discard((answer.hostname, question))

    def _refuse(self, reason: str) -> None:
        self.unreadable += 1
        self._refused = reason

    def _connect(self) -> None:
        if self._connection is not None:
            return
        connection = self._connection = self._connector.connect()
        if connection.transport.driver_type == "amqp":
            # An exclusive queue may outlive its connection for a while; a list on Redis is ours
            # for good, and to come back to it means to leave nothing behind.
            self._reply_key = str(uuid.uuid4())
        channel = connection.channel()
        self._mailbox = self._connector.app.control.mailbox(connection)
        if connection.transport.driver_type == "amqp":
            for exchange in (self._mailbox.exchange, self._mailbox.reply_exchange):
                _ensure(connection, exchange)
        self._producer = kombu.Producer(channel, auto_declare=False)
        self._reply_queue = self._make_reply_queue()(channel)
        kombu.Consumer(
            channel, [self._reply_queue], on_message=self._on_message, no_ack=True, accept=["json"]
        ).consume()

    def _make_reply_queue(self) -> Any:
        exchange = self._mailbox.reply_exchange
        return kombu.Queue(
            f"{self._reply_key}.{exchange.name}",
            exchange=exchange,
            routing_key=self._reply_key,
            durable=False,
            exclusive=True,
            auto_delete=True,
            expires=REPLY_QUEUE_EXPIRES,
        )

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            control_connection.disconnect(connection)


def _ensure(connection: Any, exchange: Any) -> None:
    """Declare an exchange of RabbitMQ where it is missing, and never again on this connection.

    Asking first keeps a user able to ask who has no right to configure the workers' exchanges.
    """
    exchange.no_declare = False
    channel = connection.channel()
    try:
        exchange(channel).declare(passive=True)
        channel.close()
    except connection.channel_errors as error:
        if getattr(error, "reply_code", None) != NOT_FOUND:
            raise
        exchange(connection.channel()).declare()
    exchange.no_declare = True
