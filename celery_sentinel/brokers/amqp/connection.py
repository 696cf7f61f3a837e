"""Opens connections to RabbitMQ by py-amqp: to the first node of the URL that answers."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, TypeVar

import amqp
from amqp import exceptions

from celery_sentinel.brokers import failover, other_servers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")
Arguments = dict[str, Any]  # of py-amqp, as ``url.addresses`` makes them

FAILURES = (OSError, exceptions.AMQPError)
_INTRODUCTION = {"product": "celery-sentinel"}


def opened(arguments: Arguments, *, timeout: float, **options: Any) -> amqp.Connection:
    """Return a connection to one node; ``timeout`` is seconds for whatever it answers.

    Raises one of ``FAILURES``, and leaves nothing open then.
    """
    connection = amqp.Connection(
        **arguments,
        connect_timeout=timeout,
        read_timeout=timeout,
        write_timeout=timeout,
        client_properties=_INTRODUCTION,
        **options,
    )
    try:
        connection.connect()
    except FAILURES:
        connection.collect()
        raise
    return connection


def first(addresses: Sequence[Arguments], *, timeout: float) -> amqp.Connection:
    """Return a connection to the first node that answers; raises ``errors.BrokerError``."""
    return first_by(addresses, lambda arguments: opened(arguments, timeout=timeout))


def first_by(
    addresses: Sequence[Arguments],
    attempt: Callable[[Arguments], T],
    *,
    failures: tuple[type[Exception], ...] = FAILURES,
) -> T:
    """Return what ``attempt`` makes of the first node for which it does not fail."""
    return failover.first_reachable(
        addresses,
        attempt,
        place=_place,
        expected=other_servers.Server("amqp", tls=bool(addresses and addresses[0]["ssl"])),
        failures=failures,
    )


@contextlib.contextmanager
def lent_channel(connection: amqp.Connection) -> Iterator[Any]:
    """Lend a channel for a question, and close it: py-amqp opens it again when the answer is no."""
    channel = connection.channel()
    try:
        yield channel
    except exceptions.ChannelError:
        channel.close()
        raise
    channel.close()


def _place(arguments: Arguments) -> failover.Place:
    where: str = arguments["host"]
    host, _, port = where.rpartition(":")
    return failover.Place(where, host.strip("[]"), int(port))
