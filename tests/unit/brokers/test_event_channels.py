"""We listen to the channels that kombu publishes events on, and to no others."""

from __future__ import annotations

import re
from typing import Any

import pytest

from celery_sentinel import errors
from celery_sentinel.brokers.redis import url as redis_url
from celery_sentinel.config import schema
from tests.unit.brokers import kombu_reading

MASTER = {"master_name": "fleet"}


def _broker(url: str, options: dict[str, Any] | None = None) -> schema.Broker:
    return schema.Broker(url=url, transport_options=options or {})


def _unescaped(pattern: str) -> str:
    """Return what a pattern of Redis matches literally; it must have no wildcard of its own."""
    assert not re.search(r"(?<!\\)(\\\\)*[*?\[]", pattern)
    return re.sub(r"\\(.)", r"\1", pattern)


def _hears(config: schema.Config, channel: str) -> bool:
    """Tell whether a message on ``channel`` reaches us, and only once."""
    patterns, channels = redis_url.event_channels(config, redis_url.addresses(config.broker)[0])
    assert all(pattern.endswith("/*") for pattern in patterns)
    beginnings = [_unescaped(pattern[:-1]) for pattern in patterns]
    ways = [channel.startswith(beginning) for beginning in beginnings]
    return sum([*ways, channel in channels]) == 1


SENTINELS = [
    "sentinel://h",
    "sentinel://h:7000/3",
    "sentinel://:secret@h/1",
    "sentinel://user:p%40@one:1;sentinel://two:2",
    "sentinel://one/3;sentinel://two:7000",
    "sentinel://one;sentinel://two;sentinel://three/3",
    "sentinel://h/1?ssl_cert_reqs=none",
]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"global_keyprefix": "pfx:"},
    {"global_keyprefix": None},
    {"global_keyprefix": "*[a]?"},
    {"fanout_prefix": True},
    {"fanout_prefix": 1},
    {"fanout_prefix": False},
    {"fanout_prefix": None},
    {"fanout_prefix": ""},
    {"fanout_prefix": "/my."},
    {"fanout_prefix": "/{db}-my."},
    {"fanout_prefix": "/{db:03}."},
    {"fanout_prefix": "[*]?{db}\\"},
    {"fanout_prefix": False, "global_keyprefix": "pfx:"},
    {"fanout_patterns": False},
    {"fanout_patterns": False, "fanout_prefix": False, "global_keyprefix": "pfx:"},
]
ROUTING_KEYS = ["task.multi", "task.sent", "worker.heartbeat", ""]


@pytest.mark.parametrize("exchange", ["celeryev", "my[ev]*?\\", "a/b", "^a-z"])
@pytest.mark.parametrize("options", OPTIONS, ids=repr)
@pytest.mark.parametrize("url", ["redis://h", "redis://h/3", "redis+socket:///r?virtual_host=3"])
def test_every_channel_of_kombu_is_heard(url: str, options: dict[str, Any], exchange: str) -> None:
    """Whatever the options, each event reaches us exactly once."""
    config = schema.Config(broker=_broker(url, options), events=schema.Events(exchange=exchange))
    reading = kombu_reading.Reading(url, options)
    for routing_key in ROUTING_KEYS:
        for channel in reading.channels(exchange, routing_key):
            assert _hears(config, channel), channel


@pytest.mark.parametrize("url", SENTINELS)
@pytest.mark.parametrize("compat", [False, True])
@pytest.mark.parametrize("prefix", [True, False, "/{db}-my.", "/my."])
def test_every_channel_behind_sentinel_is_heard(url: str, prefix: object, *, compat: bool) -> None:
    """At whichever URL of the list a worker is, old kombu or new, it is heard."""
    options = {**MASTER, "fanout_prefix": prefix, "sentinel_fanout_compat": compat}
    config = schema.Config(broker=_broker(url, options))
    for tried in range(url.count(";") + 1):
        reading = kombu_reading.Reading(url, options, tried=tried)
        for channel in reading.channels("celeryev", "task.multi"):
            assert _hears(config, channel), channel


@pytest.mark.parametrize(
    "channel",
    [
        "/4.celeryev/task.multi",
        "/3.celeryev2/task.multi",
        "/3.celeryev.pidbox/x",
        "/3.celery.pidbox",
        "/30.celeryev/task.multi",
        "pfx:/3.celeryev/task.multi",
        "celeryev/task.multi",
    ],
)
def test_the_neighbours_are_not_heard(channel: str) -> None:
    """Other databases, exchanges and prefixes on the same server are not ours."""
    assert not _hears(schema.Config(broker=_broker("redis://h/3")), channel)


@pytest.mark.parametrize(
    "prefix", ["/{other}.", "/{}.", "/{{x}}.", "/{db", "/{0}.", "/{db.x}.", "/{db[x]}."]
)
def test_a_prefix_that_kombu_could_not_format(prefix: str) -> None:
    """A fanout_prefix at which kombu fails is refused with its own text."""
    config = schema.Config(broker=_broker("redis://h", {"fanout_prefix": prefix}))
    [address] = redis_url.addresses(config.broker)
    with pytest.raises(errors.ConfigError, match="fanout_prefix is") as caught:
        redis_url.event_channels(config, address)
    assert repr(prefix) in str(caught.value)
    with pytest.raises((LookupError, ValueError, AttributeError, TypeError)):
        kombu_reading.Reading("redis://h", {"fanout_prefix": prefix})
