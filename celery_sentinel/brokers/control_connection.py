"""Opens the connection of remote control: over each URL in turn, each with TLS of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import celery

from celery_sentinel import errors
from celery_sentinel.brokers import amqp_url, redis_url

if TYPE_CHECKING:
    from celery_sentinel.config import schema

CONNECT_TIMEOUT = 5.0  # seconds
SOCKET_TIMEOUT = 5.0
_AMQP = ("amqp", "pyamqp", "librabbitmq")


class Connector:
    """A Celery application that does nothing but remote control on ``broker``.

    Of several URLs of AMQP brokers kombu would verify all by the host name of the first, so it is
    given one at a time. Those of other transports it changes over between by itself.
    """

    def __init__(self, broker: schema.Broker) -> None:
        self.app = _app_of(broker)
        self._ways = list(_ways(broker))

    def connect(self) -> Any:
        """Return a connection to the first broker that answers; raises whatever kombu does.

        With several URLs of AMQP brokers it is ``errors.BrokerError``, which says why for each.
        """
        failures: list[tuple[str, Exception]] = []
        for url, tls in self._ways:
            connection = self.app.connection_for_write(
                url, ssl=tls, connect_timeout=CONNECT_TIMEOUT
            )
            # Each of its own URLs once, but a single one twice; of several ways each once.
            retries = 0 if len(self._ways) > 1 else max(1, len(connection.alt) - 1)
            try:
                connection.ensure_connection(max_retries=retries, timeout=CONNECT_TIMEOUT)
            except Exception as error:  # noqa: BLE001 -- any transport may raise its own
                failures.append((connection.host, error))
                disconnect(connection)
            else:
                return connection
        if len(failures) == 1:
            raise failures[0][1]
        raise errors.BrokerError(
            "; ".join(f"{host}: {str(error) or type(error).__name__}" for host, error in failures)
        )


def disconnect(connection: Any) -> None:
    """Let go of a connection and of all that kombu would leave open of it."""
    poller = getattr(getattr(connection.transport, "cycle", None), "poller", None)
    try:
        connection.release()
    except Exception:  # noqa: BLE001 -- any transport may raise its own; it is gone
        connection.collect()
    if poller is not None:
        poller.close()  # kombu leaves this epoll of its Redis transport open, one each time


def _app_of(broker: schema.Broker) -> Any:
    app = celery.Celery("celery-sentinel", broker=broker.url, set_as_current=False)
    # Without a time-out a broker that is frozen would hold the polling thread for ever.
    timeouts = {}
    if _is_redis(broker.url):
        timeouts = {"socket_timeout": SOCKET_TIMEOUT}
    elif broker.url.startswith(("amqp", "pyamqp")):  # librabbitmq knows no such options
        timeouts = {"read_timeout": SOCKET_TIMEOUT, "write_timeout": SOCKET_TIMEOUT}
    app.conf.broker_transport_options = {**timeouts, **broker.transport_options}
    return app


def _ways(broker: schema.Broker) -> list[tuple[str, dict[str, Any] | None]]:
    """Return what to give to kombu, one after the other: URLs, and options of TLS if there are."""
    if _is_redis(broker.url):
        return [(broker.url, _redis_tls(broker))]
    if not broker.url.startswith(_AMQP):
        return [(broker.url, None)]
    urls = [url.strip() for url in broker.url.split(";") if url.strip()]
    tls = [_amqp_tls(arguments["ssl"]) for arguments in amqp_url.addresses(broker)]
    return list(zip(urls, tls, strict=True))


def _is_redis(url: str) -> bool:
    return url.startswith(("redis", "sentinel"))


def _redis_tls(broker: schema.Broker) -> dict[str, Any] | None:
    """Return redis-py's TLS options, as the event stream takes them; kombu's verify nothing."""
    first = redis_url.addresses(broker)[0]
    if first.connection_class is not redis_url.TLS_CONNECTION:
        return None
    given = {name: value for name, value in first.arguments.items() if name.startswith("ssl_")}
    return {"ssl_cert_reqs": "required", **given}


def _amqp_tls(options: dict[str, Any]) -> dict[str, Any] | None:
    # None is no name to verify for py-amqp, but for kombu that of the URL: absent is none to both.
    return {name: value for name, value in (options or {}).items() if value is not None} or None
