"""A connection that was cut while it was idle costs no poll of the queues."""

from __future__ import annotations

import pytest

from celery_sentinel import errors
from celery_sentinel.brokers import registry
from tests.integration.queues import look
from tests.servers import proxy, server


def test_it_is_opened_again_within_the_round(broker: server.Broker) -> None:
    """On both brokers, for each question that a poll asks, as often as it is cut."""
    with proxy.Proxy(broker.port) as between:
        reader = registry.queue_reader_of(look.config_of(between.url(broker.url)))
        assert reader.read(["shop"]).round_trip is not None
        for _ in range(3):
            between.reset()
            assert reader.read(["shop"]).round_trip is not None
            between.reset()
            reader.elsewhere()
        reader.close()


def test_only_a_second_refusal_is_a_failure(broker: server.Broker) -> None:
    """Where no new connection is had the poll fails, and the next one finds the broker back."""
    with proxy.Proxy(broker.port) as between:
        reader = registry.queue_reader_of(look.config_of(between.url(broker.url)))
        reader.read(["shop"])
        between.refuse = True
        between.reset()
        with pytest.raises(errors.BrokerError):
            reader.read(["shop"])
        between.refuse = False
        assert reader.read(["shop"]).round_trip is not None
        reader.close()
