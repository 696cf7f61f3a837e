"""Picks the kind of event stream for a broker URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel import errors
from celery_sentinel.brokers import (
    amqp,
    amqp_queues,
    generic,
    kombu_queues,
    redis,
    redis_queues,
)

if TYPE_CHECKING:
    from celery_sentinel import wire
    from celery_sentinel.brokers import interface, queue_reader
    from celery_sentinel.config import schema

REDIS = frozenset({"redis", "rediss", "redis+socket", "sentinel"})
AMQP = frozenset({"amqp", "amqps", "pyamqp", "librabbitmq"})


def transport_of(url: str) -> str:
    """Return the scheme of a broker URL, the value of the label ``transport``."""
    return url.partition("://")[0].lower()


def event_stream(config: schema.Config, decoder: wire.Decoder) -> interface.EventStream:
    """Return the stream for ``broker.url``, not yet connected.

    Raises ``errors.ConfigError`` for a URL or options that can never work.
    """
    transport = transport_of(config.broker.url)
    if transport in REDIS:
        return redis.RedisStream(config, decoder)
    if transport in AMQP:
        return amqp.AmqpStream(config, decoder)
    try:
        return generic.KombuStream(config, decoder)
    except ImportError as error:
        raise errors.ConfigError(
            f"broker.url: kombu's transport {transport!r} needs a library that is not installed "
            f"({error}); install it beside celery-sentinel, or use redis, rediss, sentinel, amqp "
            "or amqps"
        ) from error


def queue_reader_of(config: schema.Config) -> queue_reader.QueueReader:
    """Return what reads the queues of ``broker.url``, not yet connected."""
    transport = transport_of(config.broker.url)
    if transport in REDIS:
        return redis_queues.RedisQueues(config)
    if transport in AMQP:
        return amqp_queues.AmqpQueues(config)
    return kombu_queues.KombuQueues(config)
