"""Picks what reads the events and the queues of a broker URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel import errors
from celery_sentinel.brokers.amqp import events as amqp_events, queues as amqp_queues
from celery_sentinel.brokers.kombu import events as kombu_events, queues as kombu_queues
from celery_sentinel.brokers.redis import events as redis_events, queues as redis_queues
from celery_sentinel.config import urls

if TYPE_CHECKING:
    from celery_sentinel.brokers import protocols
    from celery_sentinel.config import schema
    from celery_sentinel.events import decoding

REDIS = frozenset({"redis", "rediss", "redis+socket", "sentinel"})
VISIBILITY_TIMEOUT = 3600.0  # seconds, unless the transport options say otherwise: kombu's
AMQP = frozenset({"amqp", "amqps", "pyamqp", "librabbitmq"})


def transport_of(url: str) -> str:
    """Return the scheme of a broker URL, the value of the label ``transport``."""
    return url.partition("://")[0].lower()


def visibility_timeout_of(broker: schema.Broker) -> float | None:
    """Return after how many seconds Redis delivers an unacknowledged message again.

    It is kombu that does so, by a setting that must be the application's; None on other brokers.
    """
    if transport_of(broker.url) not in REDIS:
        return None
    given = broker.transport_options.get(urls.VISIBILITY_TIMEOUT)
    return VISIBILITY_TIMEOUT if given is None else float(given)


def event_stream(config: schema.Config, decoder: decoding.Decoder) -> protocols.EventStream:
    """Return the stream for ``broker.url``, not yet connected.

    Raises ``errors.ConfigError`` for a URL or options that can never work.
    """
    transport = transport_of(config.broker.url)
    if transport in REDIS:
        return redis_events.RedisStream(config, decoder)
    if transport in AMQP:
        return amqp_events.AmqpStream(config, decoder)
    reason = why_no_events(config.broker)
    if reason is not None:
        return kombu_events.SilentStream(config, reason)
    return kombu_events.KombuStream(config, decoder)


def why_no_events(broker: schema.Broker) -> str | None:
    """Return why there can be no events on this broker, None where there can.

    Raises ``errors.ConfigError`` for a transport whose library is missing.
    """
    transport = transport_of(broker.url)
    if transport in REDIS | AMQP:
        return None
    try:
        return kombu_events.why_no_events(broker)
    except ImportError as error:
        raise errors.ConfigError(
            f"broker.url: kombu's transport {transport!r} needs a library that is not installed "
            f"({error}); install it beside celery-sentinel, or use redis, rediss, sentinel, amqp "
            "or amqps"
        ) from error
    except errors.ConfigError:
        raise
    except Exception as error:
        raise errors.ConfigError(
            f"broker.url: kombu's transport {transport!r} cannot be loaded here "
            f"({type(error).__name__}: {error}): its driver is not installed, or kombu's transport "
            "is broken; install the driver beside celery-sentinel, or use redis, rediss, sentinel, "
            "amqp or amqps"
        ) from error


def queue_reader_of(config: schema.Config) -> protocols.QueueReader:
    """Return what reads the queues of ``broker.url``, not yet connected."""
    transport = transport_of(config.broker.url)
    if transport in REDIS:
        return redis_queues.RedisQueues(config)
    if transport in AMQP:
        return amqp_queues.AmqpQueues(config)
    return kombu_queues.KombuQueues(config)
