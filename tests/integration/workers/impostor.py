"""Answers control requests as workers would that are many, or broken, or hostile."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import kombu
import redis

from tests.servers import server

if TYPE_CHECKING:
    from types import TracebackType

_PULSE = 0.2  # seconds
_SECONDS = 60.0
_TASK = {"id": "6c1d7b6e", "name": "quick", "args": [1], "kwargs": {}, "time_start": 0.0}
HONEST: Mapping[str, Any] = {
    "stats": {
        "pid": 1,
        "prefetch_count": 8,
        "pool": {"implementation": "celery.concurrency.prefork:TaskPool", "max-concurrency": 2},
        "rusage": {"maxrss": 50_000},
    },
    "active_queues": [{"name": "celery"}],
    "active": [_TASK],
    "reserved": [_TASK, _TASK],
    "scheduled": [],
}


class Reply(NamedTuple):
    """One message to the asker's reply queue."""

    body: bytes
    headers: Mapping[str, Any]
    content_type: str = "application/json"


# Gets the request, with its method and ticket.
Answer = Callable[[Mapping[str, Any]], Iterable[Reply]]


def honest(request: Mapping[str, Any], hostname: str) -> Reply:
    """Return the reply of a worker of that name, as workers do."""
    body = json.dumps({hostname: HONEST[request["method"]]})
    return Reply(body.encode(), {"ticket": request["ticket"], "clock": 1})


def reply_lists(client: redis.Redis, reply_to: Mapping[str, str]) -> list[bytes]:
    """Return the lists in Redis to which an exchange leads, as kombu finds them."""
    bound = client.smembers(f"_kombu.binding.{reply_to['exchange']}")
    return [one.rpartition(b"\x06\x16")[2] for one in bound]


class Impostor:
    """A thread that is told of all requests as a worker is; ``answer`` says what to reply.

    ``answered`` counts the requests whose replies are on their way.
    """

    def __init__(self, broker_url: str, answer: Answer) -> None:
        self.answered = 0
        self._answer = answer
        self._stopping = threading.Event()
        self._listening = threading.Event()
        self._connection = kombu.Connection(broker_url)
        self._redis = redis.Redis.from_url(broker_url) if broker_url.startswith("redis") else None
        self._thread = threading.Thread(target=self._run, name="impostor", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._listening.wait(_SECONDS):
            raise server.ServerError(f"the impostor does not listen after {_SECONDS:g} s")
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._thread.join(_SECONDS)
        if self._redis is not None:
            self._redis.close()

    def _run(self) -> None:
        # A test may kill the broker while there is still something to answer.
        with contextlib.suppress(OSError, *self._connection.connection_errors):
            self._listen()

    def _listen(self) -> None:
        exchange = kombu.Exchange(
            "celery.pidbox", type="fanout", durable=False, delivery_mode="transient"
        )
        name = f"{uuid.uuid4()}.celery.pidbox"
        queue = kombu.Queue(name, exchange, exclusive=True, auto_delete=True, durable=False)
        with (
            self._connection as connection,
            connection.channel() as channel,
            kombu.Producer(channel) as producer,
        ):

            def asked(request: Any, _message: kombu.Message) -> None:
                if "reply_to" in request:  # others want no answer
                    self._reply(producer, request["reply_to"], list(self._answer(request)))
                    self.answered += 1

            with kombu.Consumer(channel, [queue], callbacks=[asked], no_ack=True):
                if self._redis is None:  # Redis is subscribed to by the first look
                    self._listening.set()
                while not self._stopping.is_set():
                    try:
                        connection.drain_events(timeout=_PULSE)
                    except TimeoutError:
                        self._listening.set()

    def _reply(
        self, producer: kombu.Producer, reply_to: Mapping[str, str], replies: Sequence[Reply]
    ) -> None:
        if self._redis is not None and replies:
            # As many hosts would, at once: one at a time we would be what the test measures.
            for key in reply_lists(self._redis, reply_to):
                self._redis.lpush(key, *[_envelope(reply, reply_to) for reply in replies])
            return
        # As Celery's mailbox does, whoever made it.
        exchange = kombu.Exchange(reply_to["exchange"], type="direct", durable=False)
        for reply in replies:
            producer.publish(
                reply.body,
                exchange=exchange,
                declare=[exchange],
                routing_key=reply_to["routing_key"],
                headers=dict(reply.headers),
                content_type=reply.content_type,
                content_encoding="utf-8",
            )


def _envelope(reply: Reply, reply_to: Mapping[str, str]) -> str:
    """Wrap a message as kombu does on Redis."""
    return json.dumps(
        {
            "body": base64.b64encode(reply.body).decode(),
            "content-encoding": "utf-8",
            "content-type": reply.content_type,
            "headers": reply.headers,
            "properties": {
                "delivery_mode": 1,
                "delivery_info": dict(reply_to),
                "priority": 0,
                "body_encoding": "base64",
                "delivery_tag": str(uuid.uuid4()),
            },
        }
    )
