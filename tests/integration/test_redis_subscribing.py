"""An event that comes between the confirmations of our subscriptions is an event like others."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import threading

import hiredis

from celery_sentinel.brokers.redis import events as redis_events
from celery_sentinel.config import schema
from celery_sentinel.events import decoding

EVENT = {"type": "task-started", "uuid": "1", "hostname": "w1@fleet", "timestamp": 1.0}


def test_events_between_confirmations_are_kept() -> None:
    """A server that is quick with its first message, as a busy Redis can be, loses nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_serve, args=(server,))
        thread.start()
        url = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        stream = redis_events.RedisStream(
            schema.Config(broker=schema.Broker(url=url)), decoder := decoding.Decoder()
        )
        with contextlib.closing(stream):
            stream.connect()
            found = [event.type for event in stream.read()]
        thread.join()

    assert found == ["task-started", "task-started"]
    assert decoder.rejected.total() == 0


def _serve(server: socket.socket) -> None:
    """Answer one client: a message after the first confirmation, another after the last."""
    client, _ = server.accept()
    commands = hiredis.Reader()
    with client:
        while data := client.recv(4096):
            commands.feed(data)
            while (command := commands.gets()) is not False:
                client.sendall(_answer(command))


def _answer(command: list[bytes]) -> bytes:
    if command[0] not in {b"PSUBSCRIBE", b"SUBSCRIBE"}:
        return b"+OK\r\n"
    confirmation = _bulks(command[0].lower(), command[1]).replace(b"*2", b"*3", 1) + b":1\r\n"
    body = base64.b64encode(json.dumps(EVENT).encode()).decode()
    envelope = {"body": body, "content-type": "application/json"}
    return confirmation + _bulks(b"message", b"channel", json.dumps(envelope).encode())


def _bulks(*texts: bytes) -> bytes:
    parts = [b"$%d\r\n%s\r\n" % (len(text), text) for text in texts]
    return b"*%d\r\n" % len(texts) + b"".join(parts)
