"""Transports that carry no events are known as such, and their queues counted all the same."""

from __future__ import annotations

import time
from typing import Any

import kombu.transport
import pytest
from kombu.transport import virtual

from celery_sentinel import errors
from celery_sentinel.brokers import protocols, registry
from celery_sentinel.config import schema
from celery_sentinel.events import decoding

CONFIG = schema.Config(broker=schema.Broker(url="directonly://"))


class DirectOnly(virtual.Transport):
    """A transport as SQS' is: queues, but no way to publish to many."""

    there = True
    implements = virtual.Transport.implements.extend(exchange_type=frozenset({"direct"}))

    class Channel(virtual.Channel):
        """Counts queues that exist, and makes those that do not, as SQS' does."""

        sizes: dict[str, int] = {}  # noqa: RUF012 - what the service holds, for all connections

        def _resolve_queue_url(self, queue: str) -> str:
            if queue not in self.sizes:
                raise DoesNotExistQueueException
            return queue

        def _size(self, queue: str) -> int:
            return self.sizes.setdefault(queue, 0)

    def establish_connection(self) -> Any:
        """Connect, if the service is there."""
        if not self.there:
            raise ConnectionRefusedError("nobody there")
        return super().establish_connection()


class DoesNotExistQueueException(Exception):  # noqa: N818 - named as in kombu's transport for SQS
    """There is no such queue."""


@pytest.fixture(autouse=True)
def _known_transport(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make kombu know the transport by its scheme."""
    alias = f"{__name__}:{DirectOnly.__name__}"
    monkeypatch.setitem(kombu.transport.TRANSPORT_ALIASES, "directonly", alias)
    kombu.transport._transport_cache["directonly"] = DirectOnly  # noqa: SLF001 - kombu's cache
    DirectOnly.there = True
    DirectOnly.Channel.sizes = {"shop": 3}


def test_a_transport_without_fanout_carries_no_events() -> None:
    """Where kombu cannot fan out Celery sends no events at all, and we say so."""
    reason = registry.why_no_events(CONFIG.broker)
    assert reason is not None
    assert "'directonly' cannot fan out" in reason


@pytest.mark.parametrize("url", ["redis://h", "amqp://h", "memory://", "filesystem://"])
def test_a_transport_with_fanout_does(url: str) -> None:
    """Of these nothing is said, and nobody connects for that."""
    assert registry.why_no_events(schema.Broker(url=url)) is None


def test_its_stream_is_up_and_silent() -> None:
    """It connects, and a read returns nothing after no more than a moment."""
    stream = registry.event_stream(CONFIG, decoding.Decoder())
    stream.connect()
    begun = time.monotonic()
    assert stream.read() == []
    assert time.monotonic() - begun < protocols.READ_TIMEOUT + 30
    stream.close()


def test_its_stream_is_down_where_nobody_is_there() -> None:
    """A service that refuses the connection is a broker that cannot be reached."""
    stream = registry.event_stream(CONFIG, decoding.Decoder())
    DirectOnly.there = False
    with pytest.raises(errors.BrokerError, match="nobody there"):
        stream.connect()


def test_its_queues_are_counted_and_none_is_made() -> None:
    """A queue has its depth; one that does not exist is unknown and stays away."""
    reader = registry.queue_reader_of(CONFIG)
    found = reader.read(["shop", "misspelt"])
    reader.close()
    assert {name: one.length for name, one in found.queues.items()} == {
        "shop": 3,
        "misspelt": None,
    }
    assert DirectOnly.Channel.sizes == {"shop": 3}


def test_a_transport_whose_library_is_missing_is_refused() -> None:
    """What cannot even be loaded is refused at the start, with what to do."""
    with pytest.raises(errors.ConfigError, match="needs a library"):
        registry.event_stream(schema.Config(broker=schema.Broker(url="sqs://")), decoding.Decoder())
