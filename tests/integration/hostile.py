"""Publishes events as a hostile client could: anybody who reaches the broker may be one."""

from __future__ import annotations

import base64
import json
import socket
import time
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import amqp

if TYPE_CHECKING:
    from tests.servers import rabbitmq, redis

JSON = "application/json"


class Publisher:
    """Publishes message bodies on the event exchange, as a hostile client could."""

    def __init__(self, broker: redis.RedisServer | rabbitmq.RabbitServer) -> None:
        self._redis = broker.client() if broker.url.startswith("redis") else None
        if self._redis is None:
            parts = urlsplit(broker.url)
            self._amqp = amqp.Connection(
                f"{parts.hostname}:{parts.port}",
                virtual_host=parts.path.removeprefix("/"),
                # py-amqp gives up when the broker takes nothing for a second.
                socket_settings={socket.TCP_USER_TIMEOUT: 60_000},
            )
            self._amqp.connect()

    def publish(self, body: bytes, *, content_type: str = JSON, **headers: str) -> None:
        """Publish a body in a proper envelope."""
        if self._redis is None:
            message = amqp.Message(body, content_type=content_type, application_headers=headers)
            self._amqp.channel(1).basic_publish(message, "celeryev", "task.multi")
            return
        envelope = {
            "body": base64.b64encode(body).decode(),
            "content-type": content_type,
            "content-encoding": "utf-8",
            "headers": headers,
            "properties": {"body_encoding": "base64", "delivery_tag": str(uuid.uuid4())},
        }
        self.publish_raw(json.dumps(envelope).encode())

    def publish_raw(self, message: bytes) -> None:
        """Publish bytes that are no envelope; on AMQP there is none, so they are the body."""
        if self._redis is None:
            self.publish(message)
        else:
            self._redis.publish("/0.celeryev/task.multi", message)

    def close(self) -> None:
        """Close the connection."""
        (self._redis or self._amqp).close()


def event(kind: str = "task-received", **fields: Any) -> dict[str, Any]:
    """Return an event as a worker writes it."""
    return {
        "hostname": "w1@fleet",
        "uuid": str(uuid.uuid4()),
        "name": "quick",
        "retries": 0,
        "eta": None,
        "clock": 1,
        "pid": 1,
        "timestamp": time.time(),
        "type": kind,
        **fields,
    }


def batch(*events: Any) -> bytes:
    """Return the body of a batch."""
    return json.dumps(list(events)).encode()
