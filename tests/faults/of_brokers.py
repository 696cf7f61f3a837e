"""Faults of the broker and of the way to it, on Redis and on RabbitMQ."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.servers import proxy, rabbitmq

if TYPE_CHECKING:
    from tests.faults.scene import Scene

_RETURN = 75.0  # seconds; workers have a minute to come back
_DEAD_LETTERING = {"dead-letter-exchange": "", "dead-letter-routing-key": "failed"}
CONFIG = {"queues": {"dead_letter": ["failed"]}}


def redis_down(scene: Scene) -> None:
    """Kill Redis, and let it come back."""
    broker = scene.own_redis()
    scene.daemon()
    scene.worker("w1")
    scene.worker("w2", pool="threads")
    scene.traffic("quick")
    scene.observe()
    with scene.fault("Redis down", "CeleryBrokerDown"):
        broker.kill()
    # Workers may be back, and work, some seconds before us: that is lost, and is told. Or they
    # are back after us: they try again after 12 s and more, and 5 minutes of the rule are 15 s.
    also = ("CelerySentinelLosingEvents", "CeleryQueueNoConsumers")
    with scene.fault("Redis back, after it was down", also=also, watch=_RETURN):
        broker.start()


def redis_restarted(scene: Scene) -> None:
    """Restart Redis."""
    broker = scene.own_redis()
    scene.daemon()
    scene.worker("w1")
    scene.traffic("quick")
    scene.observe()
    with scene.fault("Redis restarted", watch=_RETURN):
        broker.restart()


def redis_half_open(scene: Scene) -> None:
    """Let the sentinel's connections to Redis swallow everything."""
    broker = scene.own_redis()
    network = scene.stack.enter_context(proxy.Proxy(broker.port))
    scene.daemon(network.url(broker.url))
    scene.worker("w1")
    scene.traffic("quick")
    scene.observe()
    with scene.fault("half-open connection to Redis", "CelerySentinelLosingEvents"):
        network.black_hole()


def on_rabbitmq(scene: Scene) -> None:
    """Do the same to one RabbitMQ, one after the other; a dead letter and a lost worker first."""
    node = scene.stack.enter_context(rabbitmq.RabbitServer(scene.directory("rabbitmq")))
    scene.broker_url = node.url
    network = scene.stack.enter_context(proxy.Proxy(node.port))
    scene.daemon(network.url(node.url))
    # What was acknowledged early cannot be refused.
    scene.worker("w1", queues=["celery", "work"], config={"task_acks_late": True})
    victim = scene.worker("w2", pool="threads")
    sender = scene.producer()
    scene.traffic("quick")
    node.ctl("set_policy", "dead", "^work$", json.dumps(_DEAD_LETTERING))
    with sender.app.connection_for_write() as connection:
        connection.default_channel.queue_declare("failed", durable=True, auto_delete=False)
    scene.observe()
    # A task that is refused is what becomes a dead letter.
    also = ("CeleryTaskRejected",)
    with scene.fault("a dead letter, RabbitMQ", "CeleryDeadLetters", also=also):
        sender.send("rejecting", queue="work")
    with scene.fault("one of two workers SIGKILLed, RabbitMQ", "CeleryWorkerLost"):
        victim.kill()
    with scene.fault("half-open connection to RabbitMQ", "CelerySentinelLosingEvents"):
        network.black_hole()
    # One that takes longer than the minute of the rule (15 s here) to return is down.
    also = ("CeleryBrokerDown",)
    with scene.fault("RabbitMQ restarted", also=also, watch=_RETURN):
        node.ctl("stop_app")
        node.ctl("start_app")
    with scene.fault("RabbitMQ down", "CeleryBrokerDown"):
        node.kill()
