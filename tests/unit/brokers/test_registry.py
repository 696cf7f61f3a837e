"""The scheme of the URL picks the stream, before anything is connected."""

from __future__ import annotations

from typing import Any

import pytest
from kombu.transport import redis as kombu_redis

from celery_sentinel import errors
from celery_sentinel.brokers import registry
from celery_sentinel.brokers.amqp import events as amqp_events
from celery_sentinel.brokers.kombu import events as kombu_events
from celery_sentinel.brokers.redis import events as redis_events
from celery_sentinel.config import schema
from celery_sentinel.events import decoding


@pytest.mark.parametrize(
    ("url", "transport", "stream"),
    [
        ("redis://h/0", "redis", redis_events.RedisStream),
        ("rediss://h/0", "rediss", redis_events.RedisStream),
        ("redis+socket:///run/redis.sock", "redis+socket", redis_events.RedisStream),
        ("redis://a;redis://b", "redis", redis_events.RedisStream),
        ("amqp://h", "amqp", amqp_events.AmqpStream),
        ("amqps://h/vhost", "amqps", amqp_events.AmqpStream),
        ("pyamqp://a;amqps://b", "pyamqp", amqp_events.AmqpStream),
        ("librabbitmq://h", "librabbitmq", amqp_events.AmqpStream),
        ("AMQP://h", "amqp", amqp_events.AmqpStream),
        ("memory://", "memory", kombu_events.KombuStream),
        ("filesystem://", "filesystem", kombu_events.KombuStream),
    ],
)
def test_each_scheme_has_its_stream(url: str, transport: str, stream: type) -> None:
    """Redis and AMQP have streams of their own, all else goes through kombu."""
    config = schema.Config(broker=schema.Broker(url=url))
    assert registry.transport_of(url) == transport
    assert type(registry.event_stream(config, decoding.Decoder())) is stream


def test_sentinel_needs_its_master() -> None:
    """Sentinel is Redis, and refused at once without the name of the master."""
    url = "sentinel://:hidden@h:26379"
    named = schema.Broker(url=url, transport_options={"master_name": "m"})
    stream = registry.event_stream(schema.Config(broker=named), decoding.Decoder())
    assert type(stream) is redis_events.RedisStream
    with pytest.raises(errors.ConfigError, match="master_name") as caught:
        registry.event_stream(schema.Config(broker=schema.Broker(url=url)), decoding.Decoder())
    assert "hidden" not in str(caught.value)


def test_a_transport_whose_library_is_missing() -> None:
    """A transport of kombu that cannot be imported is refused with the library's name."""
    config = schema.Config(broker=schema.Broker(url="zookeeper://u:hidden@h"))
    with pytest.raises(errors.ConfigError, match=r"'zookeeper' needs .* kazoo") as caught:
        registry.event_stream(config, decoding.Decoder())
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "options", "seconds"),
    [
        ("redis://h", {}, 3600.0),
        ("sentinel://h", {"master_name": "m", "visibility_timeout": 7200}, 7200.0),
        ("redis+socket:///run/redis.sock", {"visibility_timeout": None}, 3600.0),
        ("rediss://h", {"visibility_timeout": 0.5}, 0.5),
        ("amqp://h", {"visibility_timeout": 7200}, None),
        ("memory://", {}, None),
    ],
)
def test_redis_alone_delivers_again(
    url: str, options: dict[str, Any], seconds: float | None
) -> None:
    """The visibility time-out is that of the options, else kombu's, and is one of Redis."""
    broker = schema.Broker(url=url, transport_options=options)
    assert registry.visibility_timeout_of(broker) == seconds


def test_the_default_time_out_is_that_of_kombu() -> None:
    """What we take for the default is what kombu does."""
    assert kombu_redis.Channel.visibility_timeout == registry.VISIBILITY_TIMEOUT
