"""What stock Celery publishes: its own dispatcher and serializers, over kombu's memory broker."""

from __future__ import annotations

import base64
import json
import uuid
from typing import TYPE_CHECKING, Any

import celery
import kombu
from celery import events as celery_events
from celery.events import event as celery_event
from kombu.utils import json as kombu_json

from celery_sentinel.events import decoding
from celery_sentinel.events.event import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

HOSTNAME = "w1@host"


class Tap:
    """A dispatcher of events, and the messages that came of what it sent."""

    def __init__(
        self,
        *,
        buffered: bool = False,
        body_encoding: str | None = "base64",
        serializer: str = "json",
    ) -> None:
        self._app = celery.Celery("tap", broker="memory://", set_as_current=False)
        self._connection = kombu.Connection(
            "memory://", transport_options={"body_encoding": body_encoding}
        )
        self._channel = self._connection.channel()
        exchange = celery_event.get_exchange(self._connection)
        self._queue = kombu.Queue(f"tap.{uuid.uuid4()}", exchange, routing_key="#")
        self._queue(self._channel).declare()
        self.dispatcher = celery_events.EventDispatcher(
            self._connection,
            channel=self._channel,
            app=self._app,
            hostname=HOSTNAME,
            serializer=serializer,
            buffer_group={"task"} if buffered else None,
            buffer_while_offline=False,
        )
        self.producer = kombu.Producer(self._channel, exchange)

    def messages(self) -> list[dict[str, Any]]:
        """Take the messages published since the last call, as kombu's virtual transports do."""
        return [
            self._channel._get(self._queue.name)  # noqa: SLF001 -- the raw message
            for _ in range(self._channel._size(self._queue.name))  # noqa: SLF001
        ]

    def envelopes(self) -> list[bytes]:
        """Take the messages as kombu's Redis transport publishes them."""
        return [kombu_json.dumps(message).encode() for message in self.messages()]

    def close(self) -> None:
        """Drop the queue."""
        self._queue(self._channel).delete()
        self._connection.release()


def sent(send: Callable[[celery_events.EventDispatcher], None], **options: Any) -> list[bytes]:
    """Return the envelopes of what ``send`` does with a dispatcher; ``options`` are Tap's."""
    tap = Tap(**options)
    try:
        send(tap.dispatcher)
        tap.dispatcher.flush()
        return tap.envelopes()
    finally:
        tap.close()


def started(count: int) -> list[dict[str, Any]]:
    """Return that many ``task-started``, as Celery builds them."""
    return [
        celery_event.Event(
            "task-started",
            hostname=HOSTNAME,
            utcoffset=0.0,
            pid=17,
            clock=clock,
            uuid=str(uuid.UUID(int=clock)),
        )
        for clock in range(1, count + 1)
    ]


def envelope(body: bytes, /, **changes: Any) -> bytes:
    """Return kombu's Redis envelope around ``body``, with other values for some of its keys."""
    plain: dict[str, Any] = {
        "body": base64.b64encode(body).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"hostname": HOSTNAME},
        "properties": {
            "delivery_mode": 1,
            "delivery_info": {"exchange": "celeryev", "routing_key": "task.multi"},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(uuid.UUID(int=0)),
        },
    }
    return json.dumps(plain | changes).encode()


class Outcome:
    """What became of one message: its events, and what was counted (zeros left out)."""

    def __init__(self, decoder: decoding.Decoder, found: list[Event]) -> None:
        self.events = found
        self.rejected = {key: count for key, count in decoder.rejected.items() if count}
        self.salvaged = {key: count for key, count in decoder.salvaged.items() if count}

    @property
    def accounted(self) -> bool:
        """Whether the message left any trace."""
        return bool(self.events or self.rejected or self.salvaged)


def decoded(envelopes: bytes | Iterable[bytes], **limits: int) -> Outcome:
    """Decode Redis envelopes with a new decoder."""
    decoder, found = decoding.Decoder(**limits), list[Event]()
    for data in [envelopes] if isinstance(envelopes, bytes) else envelopes:
        decoder.envelope(data, found)
    return Outcome(decoder, found)


def decoded_body(body: bytes, *, limits: dict[str, int] | None = None, **options: Any) -> Outcome:
    """Decode one message body with a new decoder; ``options`` are those of ``Decoder.body``."""
    decoder, found = decoding.Decoder(**(limits or {})), list[Event]()
    decoder.body(body, found, **options)
    return Outcome(decoder, found)


def plain(raw: dict[str, Any]) -> Event:
    """Return the event that a well-formed one must become."""
    return Event(**{key: value for key, value in raw.items() if key in Event.__struct_fields__})
