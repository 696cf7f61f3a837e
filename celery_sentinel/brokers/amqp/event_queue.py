"""Our queue on the event exchange: one for each connection, or a durable one that waits for us."""

from __future__ import annotations

import socket
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

from amqp import exceptions

from celery_sentinel import errors, logs
from celery_sentinel.brokers import failover
from celery_sentinel.brokers.amqp import connection as amqp_connection, url as amqp_url

if TYPE_CHECKING:
    from celery_sentinel.config import schema

PRIVATE_EXPIRES = 60.0  # seconds an abandoned queue stays
PREFETCH = 4000  # messages under way to us and not yet acknowledged


class Consumed(NamedTuple):
    """A queue that is being consumed.

    ``channel`` is the number of its channel, ``waiting`` how many messages it held, ``existed``
    whether it had been there before; of a private queue 0 and False.
    """

    channel: int
    waiting: int
    existed: bool


def durable_name(config: schema.Config) -> str:
    """Return the name of the durable queue, the same after each restart of this daemon.

    Raises ``errors.ConfigError`` for one that AMQP cannot carry.
    """
    settings = config.events
    name = f"{settings.queue_prefix}.sentinel.{settings.queue_name or socket.gethostname()}"
    if len(name.encode()) > amqp_url.LONGEST_NAME:
        raise errors.ConfigError(
            f"events.queue_name: the queue {name[:40]}... has a name of {len(name.encode())} "
            f"bytes; allowed: at most {amqp_url.LONGEST_NAME}; give a shorter one"
        )
    return name


class OwnQueue:
    """Declares, binds and consumes the queue that the configuration asks for."""

    def __init__(self, config: schema.Config) -> None:
        self._settings = config.events
        self.durable = config.broker.durable_events
        self._name = durable_name(config) if self.durable else ""
        self._told = False

    def consume(self, connection: Any) -> Consumed:
        """Begin to consume on a new connection of py-amqp's.

        Raises what py-amqp does, and ``errors.BrokerError`` when another consumer is there.
        """
        _declare_exchange(connection, self._settings.exchange)
        if self.durable:
            return self._consume_durable(connection)
        name = f"{self._settings.queue_prefix}.sentinel.{uuid.uuid4()}"
        channel = connection.channel()
        arguments = self._arguments(ttl=self._settings.queue_ttl, expires=PRIVATE_EXPIRES)
        channel.queue_declare(name, exclusive=True, auto_delete=True, arguments=arguments)
        channel.queue_bind(name, self._settings.exchange, "#")
        channel.basic_consume(name, no_ack=True)
        return Consumed(channel.channel_id, 0, existed=False)

    def _consume_durable(self, connection: Any) -> Consumed:
        waiting = self._waiting(connection)
        if waiting is None:
            self._declare_durable(connection)
        channel = connection.channel()
        channel.queue_bind(self._name, self._settings.exchange, "#")
        channel.basic_qos(0, PREFETCH, a_global=False)
        try:
            channel.basic_consume(self._name, no_ack=False, exclusive=True)
        except exceptions.AccessRefused as error:
            raise errors.BrokerError(
                f"queue {self._name}: {failover.text_of(error)}. If another daemon reads it, give "
                "each its own events.queue_name; if it is an earlier connection of this one, the "
                "broker will miss it soon"
            ) from error
        return Consumed(channel.channel_id, waiting or 0, existed=waiting is not None)

    def _waiting(self, connection: Any) -> int | None:
        """Return how many messages the durable queue holds, None where there is no such queue."""
        try:
            with amqp_connection.lent_channel(connection) as channel:
                declared = channel.queue_declare(self._name, passive=True)
        except exceptions.NotFound:
            return None
        try:
            self._declare_durable(connection)
        except exceptions.PreconditionFailed as error:
            if not self._told:
                logs.get(__name__).warning("durable_queue_differs", error=failover.text_of(error))
            self._told = True
        return int(declared.message_count)

    def _declare_durable(self, connection: Any) -> None:
        held = self._settings.durable_for
        with amqp_connection.lent_channel(connection) as channel:
            channel.queue_declare(
                self._name,
                durable=True,
                auto_delete=False,
                # A virtual host may default to quorum queues, which write each event to disk.
                arguments={"x-queue-type": "classic", **self._arguments(ttl=held, expires=held)},
            )

    def _arguments(self, *, ttl: float, expires: float) -> dict[str, int]:
        return {
            "x-message-ttl": int(ttl * 1000),
            "x-expires": int(expires * 1000),
            "x-max-length-bytes": self._settings.queue_max_bytes,
        }


def _declare_exchange(connection: Any, exchange: str) -> None:
    """Declare the event exchange as Celery does, unless it is there already.

    Asking first keeps a user without the right to configure it able to listen.
    """
    try:
        with amqp_connection.lent_channel(connection) as channel:
            channel.exchange_declare(exchange, "topic", passive=True)
    except exceptions.NotFound:
        with amqp_connection.lent_channel(connection) as channel:
            channel.exchange_declare(exchange, "topic", durable=True, auto_delete=False)
