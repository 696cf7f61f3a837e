"""Looks where else on a RabbitMQ Celery is: in the wrong virtual host nothing is heard."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
from amqp import exceptions

from celery_sentinel import errors
from celery_sentinel.brokers.amqp import connection as amqp_connection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from celery_sentinel.brokers.amqp import management_api
    from celery_sentinel.config import schema

DEFAULT_EXCHANGE = "celery"  # every producer and worker with default names makes it; we never do
PIDBOXES = "/queues"
MOST = 500  # queues of workers that are looked at
MOST_NAMED = 3
_OK = 200
_QUERY: dict[str, str | int] = {
    "page": 1,
    "page_size": MOST,
    "name": r"^.+@.+\.pidbox$",
    "use_regex": "true",
    "columns": "name,vhost",
}
_SHOWN = 60
_DEAF = (
    "Workers take commands in virtual host {here}, which this daemon watches, but send no "
    "heartbeats to the exchange {exchange}: compare events.exchange with the application's "
    "event_exchange; started with --without-heartbeat they send none."
)
_ELSEWHERE = (
    "Workers are in virtual host {others}, and this daemon watches {here}: compare the end of "
    "broker.url with the application's."
)
_NEVER = (
    "Virtual host {here}, which this daemon watches, has no exchange {exchange}, so no application "
    "with Celery's default names has been there: compare the end of broker.url with the "
    "application's."
)


class _Queue(msgspec.Struct):
    name: str
    vhost: str


class _Page(msgspec.Struct):
    items: list[_Queue]


_decode = msgspec.json.Decoder(_Page).decode


def look(
    config: schema.Config, here: str, api: management_api.ManagementApi | None, connection: Any
) -> Sequence[str]:
    """Return what speaks for another virtual host or exchange than ours, in sentences.

    The queues on which workers take commands say where they are, as far as our user may see.
    """
    if api is None:
        return _without_api(here, connection)
    workers = Counter(queue.vhost for queue in _pidboxes(api))
    if workers[here]:
        return (_DEAF.format(here=_shown(here), exchange=config.events.exchange),)
    others = ", ".join(_shown(vhost) for vhost, _ in workers.most_common(MOST_NAMED))
    return (_ELSEWHERE.format(here=_shown(here), others=others),) if others else ()


def _pidboxes(api: management_api.ManagementApi) -> list[_Queue]:
    try:
        status, body = api.get(PIDBOXES, _QUERY)
        return _decode(body).items if status == _OK else []
    except (errors.BrokerError, msgspec.DecodeError):
        return []  # the poll of the queues says why


def _without_api(here: str, connection: Any) -> Sequence[str]:
    """Return whether nobody with Celery's default names has ever been here."""
    try:
        with amqp_connection.lent_channel(connection) as channel:
            channel.exchange_declare(DEFAULT_EXCHANGE, "direct", passive=True)
    except exceptions.NotFound:
        return (_NEVER.format(here=_shown(here), exchange=DEFAULT_EXCHANGE),)
    except exceptions.AccessRefused:
        pass
    return ()


def _shown(name: str) -> str:
    printable = "".join(char if char.isprintable() else "\ufffd" for char in name)
    return printable if len(printable) <= _SHOWN else printable[: _SHOWN - 1] + "…"
