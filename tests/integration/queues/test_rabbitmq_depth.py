"""Depths on RabbitMQ by passive declare, and its queues that cannot be looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import amqp

from celery_sentinel.brokers.amqp import queues as amqp_queues
from tests.integration.queues import look
from tests.servers import daemon

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import rabbitmq

# What makes celery 5.5 and later hold tasks with an eta in the broker, not in the worker.
DELAYED: dict[str, Any] = {
    "task_default_queue_type": "quorum",
    "task_default_exchange": "shop",
    "task_default_exchange_type": "topic",
    "task_default_queue": "shop",
    "task_default_routing_key": "shop",
    "broker_transport_options": {"confirm_publish": True},
}
# RabbitMQ takes line breaks out of names itself.
ODD_NAMES = ('quo"ted', "back\\slash", "sp ace\ttab", "\x01", "żółw-🐢", "x" * 200)


def test_depth_and_consumers(
    rabbitmq_server: rabbitmq.RabbitServer,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Forty messages that nobody takes are seen with 0 consumers, a worker's queue with 1."""
    sentinel = watch(rabbitmq_server.url)
    start_worker(rabbitmq_server.url)
    sending = make_producer(rabbitmq_server.url)
    for _ in range(40):
        sending.send("quick", queue="misspelt")
    sending.send("quick")

    def found(queue: str) -> list[float | None]:
        consumers = look.value(sentinel, "celery_queue_consumers", queue_name=queue)
        return [look.length(sentinel, queue), consumers]

    look.eventually(lambda: found("misspelt") == [40, 0], "forty, and nobody to take them")
    look.eventually(lambda: found("celery") == [0, 1], "none, and one to take them")
    name = "celery_broker_round_trip_seconds"
    look.eventually(lambda: look.value(sentinel, name) is not None, "it is told")


def test_queues_that_cannot_be_looked_at_harm_nobody(
    rabbitmq_server: rabbitmq.RabbitServer,
    closing: contextlib.ExitStack,
    watch: Callable[..., daemon.Daemon],
    make_producer: conftest.MakeProducer,
) -> None:
    """A missing queue, another's exclusive one and one with too long a name are unknown."""
    channel = closing.enter_context(connected(rabbitmq_server)).channel()
    channel.queue_declare("mine", exclusive=True)
    names = ["missing", "mine", "ü" * 130, "shop"]
    sentinel = watch(rabbitmq_server.url, queues={"watch": names})
    make_producer(rabbitmq_server.url).send("quick", queue="shop")

    look.becomes(sentinel, 1, "celery_queue_length", queue_name="shop")
    look.polled(sentinel)
    look.eventually(lambda: look.lengths(sentinel) == {"shop": 1}, "and it alone")
    look.becomes(sentinel, 1, "celery_sentinel_poll_success", poller="queues")


def test_a_missing_queue_costs_no_channels(
    rabbitmq_server: rabbitmq.RabbitServer, closing: contextlib.ExitStack
) -> None:
    """Each miss closes a channel; however many there were, at the end of a poll none is open."""
    reader = amqp_queues.AmqpQueues(look.config_of(rabbitmq_server.url))
    closing.callback(reader.close)
    for _ in range(30):
        found = reader.read([f"missing{n}" for n in range(100)])
        assert not any(one.length for one in found.queues.values())

    open_in = rabbitmq_server.ctl("list_channels", "vhost").split()
    assert rabbitmq_server.vhost not in open_in


def test_names_of_any_bytes(
    rabbitmq_server: rabbitmq.RabbitServer,
    closing: contextlib.ExitStack,
    watch: Callable[..., daemon.Daemon],
) -> None:
    """Quotes, backslashes, emoji and 200 characters survive into labels and out again."""
    channel = closing.enter_context(connected(rabbitmq_server)).channel()
    for n, name in enumerate(ODD_NAMES):
        channel.queue_declare(name, auto_delete=False)
        for _ in range(n + 1):
            channel.basic_publish(amqp.Message("x"), routing_key=name)
    sentinel = watch(rabbitmq_server.url, queues={"watch": list(ODD_NAMES)})

    expected = {name: n + 1 for n, name in enumerate(ODD_NAMES)}
    look.eventually(lambda: look.lengths(sentinel) == expected, "all are counted")


def test_a_dead_letter_queue_is_one_by_name(
    rabbitmq_server: rabbitmq.RabbitServer,
    closing: contextlib.ExitStack,
    watch: Callable[..., daemon.Daemon],
) -> None:
    """What RabbitMQ puts aside is counted under its queue, whose role is dead_letter."""
    channel = closing.enter_context(connected(rabbitmq_server)).channel()
    channel.queue_declare("failed", auto_delete=False)
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "failed"}
    channel.queue_declare("shop", durable=True, auto_delete=False, arguments=arguments)
    sentinel = watch(rabbitmq_server.url, queues={"watch": ["shop"], "dead_letter": ["failed"]})
    for n in range(3):
        channel.basic_publish(amqp.Message(str(n)), routing_key="shop")
    for _ in range(3):
        taken = channel.basic_get("shop")
        channel.basic_reject(taken.delivery_tag, requeue=False)

    look.eventually(lambda: look.length(sentinel, "failed") == 3, "three were put aside")
    info = {"queue_name": "failed", "source": "config", "role": "dead_letter"}
    assert look.value(sentinel, "celery_queue_info", **info) == 1
    assert look.value(sentinel, "celery_queue_info", queue_name="shop", role="work") == 1


def test_native_delayed_delivery(
    rabbitmq_server: rabbitmq.RabbitServer,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Tasks that wait in the broker for their eta are delayed, and belong to their real queue."""
    start_worker(rabbitmq_server.url, queues=["shop"], config=DELAYED)
    sentinel = watch(rabbitmq_server.url)
    sending = make_producer(rabbitmq_server.url, config=DELAYED)
    for _ in range(3):
        sending.app.tasks["quick"].apply_async(countdown=600)

    look.becomes(sentinel, 3, "celery_broker_delayed_messages")
    look.becomes(sentinel, 0, "celery_queue_length", queue_name="shop")
    sending.app.tasks["quick"].apply_async(countdown=3)
    task = {"name": "quick", "queue_name": "shop"}
    look.becomes(sentinel, 1, "celery_task_succeeded_total", **task)
    look.becomes(sentinel, 4, "celery_task_sent_total", **task)
    look.becomes(sentinel, 3, "celery_broker_delayed_messages")
    queues = look.labels_of(sentinel, "celery_queue_info", "queue_name")
    assert queues == {"shop"}
    assert daemon.total(sentinel.scrape(), "celery_task_sent_total", queue_name="unknown") is None


def connected(server: rabbitmq.RabbitServer) -> amqp.Connection:
    """Return a connection to the server's current virtual host, to be entered."""
    return amqp.Connection(
        f"127.0.0.1:{server.port}",
        userid="guest",
        password="guest",  # noqa: S106 - RabbitMQ's own default
        virtual_host=server.vhost,
    )
