"""The scheme of the URL picks the stream, before anything is connected."""

from __future__ import annotations

import pytest

from celery_sentinel import errors, wire
from celery_sentinel.brokers import amqp, choice, generic, redis
from celery_sentinel.config import schema


@pytest.mark.parametrize(
    ("url", "transport", "stream"),
    [
        ("redis://h/0", "redis", redis.RedisStream),
        ("rediss://h/0", "rediss", redis.RedisStream),
        ("redis+socket:///run/redis.sock", "redis+socket", redis.RedisStream),
        ("redis://a;redis://b", "redis", redis.RedisStream),
        ("amqp://h", "amqp", amqp.AmqpStream),
        ("amqps://h/vhost", "amqps", amqp.AmqpStream),
        ("pyamqp://a;amqps://b", "pyamqp", amqp.AmqpStream),
        ("librabbitmq://h", "librabbitmq", amqp.AmqpStream),
        ("AMQP://h", "amqp", amqp.AmqpStream),
        ("memory://", "memory", generic.KombuStream),
        ("filesystem://", "filesystem", generic.KombuStream),
    ],
)
def test_each_scheme_has_its_stream(url: str, transport: str, stream: type) -> None:
    """Redis and AMQP have streams of their own, all else goes through kombu."""
    config = schema.Config(broker=schema.Broker(url=url))
    assert choice.transport_of(url) == transport
    assert type(choice.event_stream(config, wire.Decoder())) is stream


def test_sentinel_needs_its_master() -> None:
    """Sentinel is Redis, and refused at once without the name of the master."""
    url = "sentinel://:hidden@h:26379"
    named = schema.Broker(url=url, transport_options={"master_name": "m"})
    stream = choice.event_stream(schema.Config(broker=named), wire.Decoder())
    assert type(stream) is redis.RedisStream
    with pytest.raises(errors.ConfigError, match="master_name") as caught:
        choice.event_stream(schema.Config(broker=schema.Broker(url=url)), wire.Decoder())
    assert "hidden" not in str(caught.value)


def test_a_transport_whose_library_is_missing() -> None:
    """A transport of kombu that cannot be imported is refused with the library's name."""
    config = schema.Config(broker=schema.Broker(url="zookeeper://u:hidden@h"))
    with pytest.raises(errors.ConfigError, match=r"'zookeeper' needs .* kazoo") as caught:
        choice.event_stream(config, wire.Decoder())
    assert "hidden" not in str(caught.value)
