"""Watches the place where Celery keeps results: whether it is there and how fast it answers."""

from __future__ import annotations

import functools
import threading
import time
from concurrent import futures
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import redis
from amqp import exceptions
from redis import backoff, retry

from celery_sentinel import errors, redaction
from celery_sentinel.brokers import failover, registry
from celery_sentinel.brokers.amqp import connection as amqp_connection, url as amqp_url
from celery_sentinel.brokers.redis import nodes as redis_nodes, url as redis_url
from celery_sentinel.config import schema, urls
from celery_sentinel.result_backend import database

if TYPE_CHECKING:
    from collections.abc import Callable

TIMEOUT = 3.0  # seconds for a whole check, whatever a driver or a name server does meanwhile
STEP = 2.5  # seconds to connect, or to answer: its own error is better told than the time-out


class Link(Protocol):
    """A way to the backend that is open; raises ``errors.BrokerError`` when it breaks."""

    def round_trip(self) -> float:
        """Return the seconds between a question and its answer."""

    def close(self) -> None:
        """Drop it."""


def open_backend(config: schema.Config) -> ResultBackend | None:
    """Return the backend of ``result_backend.url``, not yet connected; None without that.

    Raises ``errors.ConfigError`` for a kind that cannot be watched, and where a library is
    missing.
    """
    url = config.result_backend.url
    if url is None:
        return None
    try:
        urls.check_result_backend(url, config.broker.url)
    except ValueError as error:
        raise errors.ConfigError(f"result_backend.url: the URL {error}") from None
    scrubber = redaction.Scrubber.of((config.broker, config.result_backend))
    return ResultBackend(registry.transport_of(url), _way(config, url), scrubber)


class ResultBackend:
    """One backend; used by one thread. ``transport`` is the scheme of its URL.

    What may hang, and drivers of databases do, is done by a thread of its own, of which there
    is never more than one: a check that finds it still busy waits for it within its own time.
    """

    def __init__(
        self, transport: str, connect: Callable[[], Link], scrubber: redaction.Scrubber
    ) -> None:
        self.transport = transport
        self._connect = connect
        self._scrubber = scrubber
        self._link: Link | None = None
        self._attempt: futures.Future[float] | None = None

    def check(self) -> float:
        """Return the seconds of a round trip; never takes longer than TIMEOUT.

        Connects when there is no connection. Raises ``errors.BrokerError``, whose text holds no
        secret, when the backend does not answer in time.
        """
        deadline = time.monotonic() + TIMEOUT
        try:
            if self._attempt is not None:
                futures.wait([self._attempt], timeout=TIMEOUT)
            if self._attempt is None or self._attempt.done():
                self._attempt = self._start()
            return self._attempt.result(timeout=max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            raise errors.BrokerError(f"no answer within {TIMEOUT:g} s") from None
        except errors.BrokerError as error:
            text = " ".join(self._scrubber.scrub(str(error)).split())
            raise errors.BrokerError(text, reason=error.reason) from None

    def _start(self) -> futures.Future[float]:
        attempt: futures.Future[float] = futures.Future()
        thread = threading.Thread(
            target=self._run, args=(attempt,), name="result-backend", daemon=True
        )
        thread.start()
        return attempt

    def _run(self, attempt: futures.Future[float]) -> None:
        try:
            seconds = self._ping()
        except Exception as error:  # noqa: BLE001 -- raised again where the result is asked for
            attempt.set_exception(error)
        else:
            attempt.set_result(seconds)

    def _ping(self) -> float:
        if self._link is not None:
            try:
                return self._link.round_trip()
            except errors.BrokerError:
                self._drop()  # it may have broken long ago: only a new one tells
        self._link = self._connect()
        try:
            return self._link.round_trip()
        except errors.BrokerError:
            self._drop()
            raise

    def _drop(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def close(self) -> None:
        """Drop the connection; where a check still hangs, as soon as it ends."""
        if self._attempt is None:
            return
        self._attempt.add_done_callback(lambda _: self._drop())


def _way(config: schema.Config, url: str) -> Callable[[], Link]:
    """Return what connects to the backend."""
    if url.startswith(urls.RESULTS_IN_DATABASE):
        return database.way(url.removeprefix(urls.RESULTS_IN_DATABASE), STEP)
    over_broker = urls.scheme_of(url) == urls.RESULTS_OVER_BROKER
    server = config.broker if over_broker else _server(config.result_backend, url)
    if urls.is_amqp(server.url):
        return functools.partial(_AmqpLink, amqp_url.addresses(server))
    try:
        nodes = redis_nodes.Nodes(_impatient(server))
    except errors.ConfigError as error:
        if over_broker:
            raise
        raise errors.ConfigError(str(error).replace("broker.", "result_backend.")) from None
    return functools.partial(_RedisLink, nodes)


def _server(backend: schema.ResultBackend, url: str) -> schema.Broker:
    """Return the settings of the backend as those of a broker, which are read alike."""
    return schema.Broker(url=url, transport_options=backend.transport_options)


def _impatient(server: schema.Broker) -> schema.Broker:
    """Return the settings with time-outs for Sentinel that suit ours, unless it has its own."""
    patience = {"socket_timeout": STEP, "socket_connect_timeout": STEP, "retry": _never_again()}
    options = server.transport_options
    given = options.get("sentinel_kwargs") or {}
    return msgspec.structs.replace(
        server, transport_options={**options, "sentinel_kwargs": {**patience, **given}}
    )


def _never_again() -> retry.Retry:
    return retry.Retry(backoff.NoBackoff(), 0)


class _RedisLink:
    """A connection to the first Redis server of the URL that answers, or to Sentinel's master."""

    def __init__(self, nodes: redis_nodes.Nodes) -> None:
        self._connection: Any = nodes.first(self._opened)

    @staticmethod
    def _opened(address: redis_url.Address) -> Any:
        arguments: dict[str, Any] = {
            **address.arguments,
            "protocol": 2,
            "retry": _never_again(),
            "socket_timeout": STEP,
        }
        if "socket_connect_timeout" in arguments:  # a unix socket has none
            arguments["socket_connect_timeout"] = STEP
        connection: Any = address.connection_class(**arguments)
        try:
            connection.connect()
        except redis_nodes.FAILURES:
            connection.disconnect()
            raise
        return connection

    def round_trip(self) -> float:
        """Send PING and wait for the answer."""
        begun = time.perf_counter()
        try:
            self._connection.send_command("PING")
            self._connection.read_response()
        except (redis.RedisError, OSError) as error:
            raise errors.BrokerError(str(error)) from error
        return time.perf_counter() - begun

    def close(self) -> None:
        """Drop the connection."""
        self._connection.disconnect()


class _AmqpLink:
    """A connection to the first RabbitMQ node of the URL that answers."""

    def __init__(self, addresses: list[dict[str, Any]]) -> None:
        self._connection: Any = amqp_connection.first(addresses, timeout=STEP)

    def round_trip(self) -> float:
        """Open a channel, as Celery does to read results, and close it again."""
        begun = time.perf_counter()
        try:
            channel = self._connection.channel()
            seconds = time.perf_counter() - begun
            channel.close()
        except (OSError, exceptions.AMQPError) as error:
            raise errors.BrokerError(failover.text_of(error)) from error
        return seconds

    def close(self) -> None:
        """Drop the connection."""
        self._connection.collect()
