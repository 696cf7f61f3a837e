"""The benchmarks measure what they say: their traffic is Celery's, and every part still runs."""

from __future__ import annotations

import base64
import collections
import json
from typing import TYPE_CHECKING, Any

import amqp
import pytest
from celery.events import dispatcher

from benchmarks import (
    __main__ as command,
    chapters,
    forms,
    peers,
    publishing,
    settings,
    side_by_side,
    traffic,
)
from tests.servers import app, deadline

if TYPE_CHECKING:
    import redis as redis_client

    from tests import conftest
    from tests.servers import rabbitmq, redis, server

OURS = peers.Sentinel.label
# How often each type comes of one task that succeeds, one that fails and one that is retried once.
TYPES = {
    "task-sent": 4,
    "task-received": 4,
    "task-started": 4,
    "task-succeeded": 2,
    "task-failed": 1,
    "task-retried": 1,
    "worker-heartbeat": 1,  # and more
}


def test_traffic_is_what_a_real_worker_writes(
    redis_server: redis.RedisServer,
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Fields, their order and types are Celery's; the bytes around them are kombu's."""
    with redis_server.client() as client, client.pubsub() as tap:
        tap.psubscribe("/0.celeryev*")
        start_worker(redis_server.url, config={"task_send_sent_event": True})
        sending = make_producer(redis_server.url)
        for name, arguments in (("quick", (1,)), ("failing", ()), ("retrying", (1,))):
            sending.send(name, *arguments)
        messages = _heard(tap)

    real = _forms(event for message in messages for event in _publication(message)[1].events)
    assert real.keys() >= TYPES.keys()
    shape = traffic.Shape(events=2000, failing=0.1, retrying=0.1)
    source = traffic.Traffic(shape)
    made = [event for one in (*source.hello(), *source.messages()) for event in one.events]
    assert {kind: form for kind, form in real.items() if kind in TYPES} == _forms(made)
    for message in messages:
        tag, publication = _publication(message)
        ours = json.loads(forms.envelope(publication))["properties"]["delivery_tag"]
        assert len(ours) == len(tag)
        again = forms.redis_command(publication).split(b"\r\n")
        assert again[4] == message["channel"]
        assert _without_tag(again[6]) == _without_tag(message["data"])


def test_rabbitmq_gets_what_celery_publishes(rabbitmq_server: rabbitmq.RabbitServer) -> None:
    """Body, properties and routing key of a generated message are those of a dispatcher's."""
    publisher = publishing.RabbitPublisher(rabbitmq_server)
    where = f"127.0.0.1:{rabbitmq_server.port}"
    with amqp.Connection(where, virtual_host=rabbitmq_server.vhost) as connection:
        channel = connection.channel()
        queue = channel.queue_declare("", exclusive=True).queue
        channel.queue_bind(queue, "celeryev", "#")
        fleet = app.create({"broker_url": rabbitmq_server.url})
        with fleet.connection() as producing:
            sender = dispatcher.EventDispatcher(producing, hostname="w1@host", app=fleet)
            sender.send("task-started", uuid="1")
            sender.close()
        theirs = deadline.wait_until(lambda: channel.basic_get(queue, no_ack=True), 60, "theirs")
        publication = traffic.Publication("task.started", "w1@host", json.loads(theirs.body))
        publisher.send([forms.amqp_frames(publication)])
        ours = deadline.wait_until(lambda: channel.basic_get(queue, no_ack=True), 60, "ours")
    publisher.close()

    assert ours.body == theirs.body
    assert ours.properties == theirs.properties
    assert ours.delivery_info["routing_key"] == theirs.delivery_info["routing_key"]


def test_a_burst_is_counted_whole(redis_server: redis.RedisServer) -> None:
    """The daemon and all that need no environment of their own take part."""
    _check_race(redis_server, rate=None)


def test_a_race_on_rabbitmq_counts_every_event(rabbitmq_server: rabbitmq.RabbitServer) -> None:
    """The same at a rate, with frames instead of commands."""
    _check_race(rabbitmq_server, rate=settings.TINY.rate)


def _check_race(broker: server.Broker, *, rate: float | None) -> None:
    found = side_by_side.race(broker, settings.TINY, batch=2, rate=rate, foreign=False)

    assert found.share(OURS) == 1
    assert len(found.results) == 4
    assert all(OURS in text for text in (side_by_side.section([found]), found.rows()[0]))


@pytest.mark.parametrize("part", sorted(chapters.PARTS.keys() - {"side-by-side"}))
def test_a_part_runs(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each prints its chapter, at sizes at which the figures mean nothing."""
    assert command.main([part, "--tiny", "--no-foreign", "--no-images"]) == 0

    assert "| " in capsys.readouterr().out


def _heard(tap: redis_client.client.PubSub) -> list[dict[str, Any]]:
    """Return messages until all events of the tasks have come, and a heartbeat."""
    messages: list[dict[str, Any]] = []

    def enough() -> bool:
        message = tap.get_message(timeout=1.0)
        if message is not None and message["type"] == "pmessage":
            messages.append(message)
        heard = collections.Counter(
            event["type"] for one in messages for event in _publication(one)[1].events
        )
        return heard >= collections.Counter(TYPES)

    deadline.wait_until(enough, 60, "events of all types")
    return messages


def _publication(message: dict[str, Any]) -> tuple[str, traffic.Publication]:
    """Return the delivery tag of a captured message, and what it publishes."""
    envelope = json.loads(message["data"])
    properties = envelope["properties"]
    key = properties["delivery_info"]["routing_key"]
    body = json.loads(base64.b64decode(envelope["body"]))
    publication = traffic.Publication(key, envelope["headers"]["hostname"], body)
    return properties["delivery_tag"], publication


def _without_tag(data: bytes) -> bytes:
    return data[: data.index(b'"delivery_tag"')]


def _forms(events: Any) -> dict[str, set[tuple[tuple[str, str], ...]]]:
    """Return, by type of event, its fields in their order, each with its type in JSON."""
    found: dict[str, set[tuple[tuple[str, str], ...]]] = {}
    for event in events:
        form = tuple((name, type(value).__name__) for name, value in event.items())
        found.setdefault(event["type"], set()).add(form)
    return found
