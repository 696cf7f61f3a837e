"""Bursts of task events, encoded beforehand and written as fast as the broker takes them."""

from __future__ import annotations

import base64
import json
import socket
import struct
import threading
import time
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import amqp

HOSTNAME = "flood@fleet"
_LIFE = (
    ("task-received", '"name": "shop.pay", "args": "(17,)", "kwargs": "{}", "retries": 0, '),
    ("task-started", ""),
    ("task-succeeded", '"result": "None", "runtime": 0.25, '),
)  # fmt: skip
_FRAME = struct.Struct(">BHI")


def events(count: int, *, of: str = "a") -> list[bytes]:
    """Return ``count`` single events, as JSON, of tasks that are received, started and succeed.

    ``of`` is a hexadecimal digit that keeps the ids of several bursts apart.
    """
    now = time.time()
    written = []
    for number in range(count):
        task, step = divmod(number, len(_LIFE))
        kind, fields = _LIFE[step]
        written.append(
            f'{{"hostname": "{HOSTNAME}", "utcoffset": 0, "pid": 4711, "clock": {number}, '
            f'"uuid": "{of * 8}-0000-4000-8000-{task:012x}", "root_id": null, "parent_id": null, '
            f'{fields}"timestamp": {now + number * 1e-6:.6f}, "type": "{kind}"}}'.encode()
        )
    return written


def heartbeat(hostname: str = HOSTNAME, *, freq: float = 2.0) -> bytes:
    """Return a heartbeat as JSON."""
    vitals = {"freq": freq, "active": 0, "processed": 0, "loadavg": [0.1, 0.1, 0.1]}
    return json.dumps(
        {"hostname": hostname, "pid": 4711, "clock": 1, **vitals, "sw_ident": "py-celery",
         "sw_ver": "5.7.0", "sw_sys": "Linux", "timestamp": time.time(),
         "type": "worker-heartbeat"}
    ).encode()  # fmt: skip


class Flood:
    """A raw connection to a broker; also a context manager."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._amqp: Any = None
        if parts.scheme == "amqp":
            self._amqp = amqp.Connection(
                f"{parts.hostname}:{parts.port}",
                virtual_host=unquote(parts.path[1:]),
                # py-amqp gives up when the broker takes nothing for a second, as under a burst.
                socket_settings={socket.TCP_USER_TIMEOUT: 60_000},
            )
            self._amqp.connect()
            self._channel = self._amqp.channel()
            self._plug: socket.socket = self._amqp.transport.sock
        else:
            self._plug = socket.create_connection((parts.hostname, parts.port or 6379))

    def publish(self, bodies: list[bytes]) -> None:
        """Publish each body in a message of its own; return when the broker has taken all."""
        if self._amqp is None:
            self._to_redis(b"".join(map(_command, bodies)), len(bodies))
        else:
            channel = self._channel.channel_id
            self._plug.sendall(b"".join(_frames(body, channel) for body in bodies))
            self._channel.exchange_declare("amq.topic", "topic", passive=True)

    def lose_bindings(self) -> None:
        """Make the event exchange (RabbitMQ's) anew, with no queue bound to it."""
        self._channel.exchange_delete("celeryev")
        self._channel.exchange_declare("celeryev", "topic", durable=True, auto_delete=False)

    def close(self) -> None:
        """Close the connection."""
        (self._amqp or self._plug).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _to_redis(self, commands: bytes, count: int) -> None:
        """Write and read at once: Redis stops to listen to one who does not read its answers."""
        writer = threading.Thread(target=self._plug.sendall, args=(commands,))
        writer.start()
        answered = 0
        while answered < count:
            answered += self._plug.recv(256 * 1024).count(b"\n")
        writer.join()


def _command(body: bytes) -> bytes:
    envelope = (
        b'{"body": "%b", "content-encoding": "utf-8", "content-type": "application/json", '
        b'"headers": {"hostname": "%b"}, "properties": {"delivery_mode": 1, "delivery_info": '
        b'{"exchange": "celeryev", "routing_key": "task.multi"}, "priority": 0, '
        b'"body_encoding": "base64", "delivery_tag": "5f5e8d6e-0d4f-4d5b-b9f5-a3c0f1b8d111"}}'
    ) % (base64.b64encode(body), HOSTNAME.encode())
    channel = b"/0.celeryev/task.multi"
    return b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (
        len(channel), channel, len(envelope), envelope,
    )  # fmt: skip


def _frames(body: bytes, channel: int) -> bytes:
    # basic.publish to celeryev with the key task.multi; content type, transient (AMQP 0-9-1, 4.2)
    method = struct.pack(">HHH", 60, 40, 0) + b"\x08celeryev\x0atask.multi\x00"
    header = struct.pack(">HHQH", 60, 0, len(body), 0x9000) + b"\x10application/json\x01"
    return b"".join(
        _FRAME.pack(kind, channel, len(payload)) + payload + b"\xce"
        for kind, payload in ((1, method), (2, header), (3, body))
    )
