"""Transports that carry no events are refused instead of being waited for."""

from __future__ import annotations

import kombu.transport
import pytest
from kombu.transport import virtual

from celery_sentinel import errors, wire
from celery_sentinel.brokers import choice
from celery_sentinel.config import schema


class DirectOnly(virtual.Transport):
    """A transport as SQS' is: queues, but no way to publish to many."""

    implements = virtual.Transport.implements.extend(exchange_type=frozenset({"direct"}))


def test_a_transport_without_fanout_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where kombu has neither topic nor fanout exchanges Celery sends no events at all."""
    alias = f"{__name__}:{DirectOnly.__name__}"
    monkeypatch.setitem(kombu.transport.TRANSPORT_ALIASES, "directonly", alias)
    kombu.transport._transport_cache.pop("directonly", None)  # noqa: SLF001 - kombu's cache
    config = schema.Config(broker=schema.Broker(url="directonly://"))

    with pytest.raises(errors.ConfigError, match="cannot fan out"):
        choice.event_stream(config, wire.Decoder())
