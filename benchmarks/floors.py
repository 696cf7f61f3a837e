"""Programs that do less than any monitor must: the floors, and Celery's own receiver.

    python -m benchmarks.floors KIND BROKER_URL COUNT_FILE

The number of events seen so far stands in COUNT_FILE, eight bytes of the machine's order.
"""

from __future__ import annotations

import base64
import mmap
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import amqp
import celery
import hiredis
import msgspec
import redis
from celery.events import receiver, state
from kombu.utils import url as kombu_url

from celery_sentinel.events.event import Event

PATTERN = "/0.celeryev*"
_READ = 256 * 1024
_FRAME = struct.Struct(">BHI")
_BODY = 3

Note = Callable[[int], None]


class _Envelope(msgspec.Struct, gc=False):
    body: bytes
    content_type: Literal["application/json"] = msgspec.field(name="content-type")


def _size(found: object) -> int:
    return len(found) if isinstance(found, list) else 1


def redis_pubsub_orjson(url: str, note: Note) -> None:
    """Decode with redis-py's PubSub and orjson."""
    import orjson  # noqa: PLC0415 -- this floor's alone

    subscription = redis.Redis.from_url(url).pubsub(ignore_subscribe_messages=True)
    subscription.psubscribe(PATTERN)
    seen = 0
    while True:
        message = subscription.get_message(timeout=None)
        if message is not None:
            body = base64.b64decode(orjson.loads(message["data"])["body"])
            seen += _size(orjson.loads(body))
            note(seen)


def redis_hiredis_msgspec(url: str, note: Note, *, piece: int = _READ, pause: float = 0.0) -> None:
    """Decode with a connection of our own, hiredis and msgspec: the floor on Redis.

    ``piece`` is how many bytes hiredis is given at once, ``pause`` the seconds between two reads
    of less than a full buffer.
    """
    connection: Any = redis.connection.Connection(
        **redis.connection.parse_url(url), protocol=2, socket_timeout=None
    )
    connection.connect()
    connection.send_command("PSUBSCRIBE", PATTERN)
    reader = hiredis.Reader()
    decode_envelope = msgspec.json.Decoder(_Envelope).decode
    decode_body = msgspec.json.Decoder(Event | list[Event]).decode
    receive, gets, seen = connection._sock.recv, reader.gets, 0  # noqa: SLF001 -- the raw socket
    while data := receive(_READ):
        for start in range(0, len(data), piece):
            reader.feed(data, start, min(piece, len(data) - start))
            while (reply := gets()) is not False:
                if reply[0] == b"pmessage":
                    found = decode_body(decode_envelope(reply[3]).body)
                    seen += len(found) if found.__class__ is list else 1
        note(seen)
        if pause and len(data) < _READ:
            time.sleep(pause)


def redis_as_we_read(url: str, note: Note) -> None:
    """Decode likewise, but read as this project's daemon reads."""
    redis_hiredis_msgspec(url, note, piece=16 * 1024, pause=0.05)


def _consumer(url: str, on_message: Callable[[Any], None]) -> amqp.Connection:
    parts = kombu_url.parse_url(url)
    connection = amqp.Connection(
        f"{parts['hostname']}:{parts['port']}",
        userid=parts["userid"],
        password=parts["password"],
        virtual_host=parts["virtual_host"],
    )
    connection.connect()
    channel = connection.channel()
    channel.exchange_declare("celeryev", "topic", durable=True, auto_delete=False)
    queue = channel.queue_declare("", exclusive=True).queue
    channel.queue_bind(queue, "celeryev", "#")
    channel.basic_consume(queue, no_ack=True, callback=on_message)
    return connection


def amqp_msgspec(url: str, note: Note) -> None:
    """Decode with py-amqp's messages and msgspec."""
    decode_body = msgspec.json.Decoder(Event | list[Event]).decode
    seen = 0

    def on_message(message: Any) -> None:
        nonlocal seen
        body = message.body
        seen += _size(decode_body(body if isinstance(body, bytes) else body.encode()))
        note(seen)

    connection = _consumer(url, on_message)
    while True:
        connection.drain_events()


def amqp_frames_msgspec(url: str, note: Note) -> None:
    """Decode with frames cut by ourselves and msgspec: the floor on RabbitMQ."""
    connection = _consumer(url, lambda _: None)
    plug = connection.transport.sock
    plug.settimeout(None)
    decode_body = msgspec.json.Decoder(Event | list[Event]).decode
    buffer, seen, unpack = bytes(connection.transport._read_buffer), 0, _FRAME.unpack_from  # noqa: SLF001 -- read ahead of us
    while data := plug.recv(_READ):
        buffer = buffer + data if buffer else data
        at, end = 0, len(buffer)
        while end - at > _FRAME.size:
            kind, _, size = unpack(buffer, at)
            after = at + _FRAME.size + size + 1
            if after > end:
                break
            if kind == _BODY:
                found = decode_body(buffer[at + _FRAME.size : after - 1])
                seen += len(found) if found.__class__ is list else 1
            at = after
        buffer = buffer[at:]
        note(seen)


def receiver_and_state(url: str, note: Note) -> None:
    """Keep Celery's State from Celery's EventReceiver, as celery-exporter and Flower do."""
    app = celery.Celery(broker=url, set_as_current=False)
    memory = state.State()
    seen = 0

    def on_event(event: dict[str, Any]) -> None:
        nonlocal seen
        memory.event(event)
        if event["type"].startswith("task-"):
            seen += 1
            note(seen)

    with app.connection() as connection:
        listening = receiver.EventReceiver(connection, handlers={"*": on_event}, app=app)
        listening.capture(limit=None, timeout=None, wakeup=True)


KINDS: dict[str, Callable[[str, Note], None]] = {
    "redis-orjson": redis_pubsub_orjson,
    "redis-msgspec": redis_hiredis_msgspec,
    "redis-portions": redis_as_we_read,
    "amqp-msgspec": amqp_msgspec,
    "amqp-frames": amqp_frames_msgspec,
    "receiver-state": receiver_and_state,
}
COUNT = struct.Struct("q")


def main(kind: str, url: str, count_file: str) -> None:
    """Run until killed."""
    path = Path(count_file)
    path.write_bytes(COUNT.pack(0))
    with path.open("r+b") as file, mmap.mmap(file.fileno(), COUNT.size) as shared:
        KINDS[kind](url, lambda seen: COUNT.pack_into(shared, 0, seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
