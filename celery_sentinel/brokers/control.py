"""Asks all workers at once over Celery's remote control and gathers what they answer."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import celery
import kombu
import msgspec

from celery_sentinel import errors, readings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from celery_sentinel.config import schema

CONNECT_TIMEOUT = 5.0  # seconds
SOCKET_TIMEOUT = 5.0
LONGEST_ANSWER = 16 * 1024 * 1024  # bytes; `active` of a worker with many large tasks


class _Pool(msgspec.Struct):
    implementation: str | None = None
    max_concurrency: int | None = msgspec.field(name="max-concurrency", default=None)


class _Usage(msgspec.Struct):
    maxrss: int | None = None  # kilobytes on Linux


class _Stats(msgspec.Struct):
    pid: int | None = None
    prefetch_count: int | None = None
    pool: _Pool | None = None
    rusage: _Usage | None = None


class _Consumed(msgspec.Struct):
    name: str


class _Delivery(msgspec.Struct):
    exchange: str | None = None
    routing_key: str | None = None


class _Running(msgspec.Struct):
    id: str
    name: str | None = None
    time_start: float | None = None
    delivery_info: _Delivery | None = None


QUESTIONS: dict[str, Any] = {
    "stats": msgspec.json.Decoder(dict[str, _Stats]),
    "active_queues": msgspec.json.Decoder(dict[str, list[_Consumed]]),
    "active": msgspec.json.Decoder(dict[str, list[_Running]]),
    "reserved": msgspec.json.Decoder(dict[str, list[msgspec.Raw]]),
    "scheduled": msgspec.json.Decoder(dict[str, list[msgspec.Raw]]),
}


class Control:
    """One connection, one reply queue and one consumer for its whole life; used by one thread.

    Celery's own ``inspect`` makes a new reply queue for each call, which on Redis costs every
    other call its answers. ``unreadable`` counts answers that were no answers.
    """

    def __init__(self, config: schema.Config) -> None:
        self.unreadable = 0
        self._app = control_app(config.broker)
        self._connection: Any = None
        self._mailbox: Any = None
        self._reply_queue: Any = None
        self._producer: Any = None
        self._tickets: dict[str, str] = {}
        self._answers: list[tuple[str, str, Any]] = []

    def ask(
        self, *, expected: int, timeout: float, among: Sequence[str] | None = None
    ) -> list[readings.WorkerReading]:
        """Ask all workers, or those ``among``, all questions.

        Returns after ``timeout`` seconds, or once all have answered.

        ``expected`` is how many workers are known to be up: more may answer, and then are in
        the result if they do so before the last of these. Raises ``errors.BrokerError``.
        """
        try:
            self._connect()
            self._answers = []
            self._tickets = {str(uuid.uuid4()): question for question in QUESTIONS}
            self._reply_queue.declare()  # kombu sweeps the binding of a queue long unused
            for ticket, question in self._tickets.items():
                self._publish(question, destination=among, ticket=ticket, timeout=timeout)
            self._gather(expected * len(QUESTIONS), time.monotonic() + timeout)
        except Exception as error:
            self.close()
            raise errors.BrokerError(str(error) or type(error).__name__) from error
        return _merged(self._answers)

    def tell(self, command: str, destination: Sequence[str]) -> None:
        """Send a command to these workers without waiting for an answer."""
        try:
            self._connect()
            self._publish(command, destination=destination)
        except Exception as error:
            self.close()
            raise errors.BrokerError(str(error) or type(error).__name__) from error

    def _publish(
        self,
        command: str,
        *,
        destination: Sequence[str] | None = None,
        ticket: str | None = None,
        timeout: float | None = None,
    ) -> None:
        message: dict[str, Any] = {
            "method": command,
            "arguments": {},
            "destination": None if destination is None else list(destination),
            "pattern": None,
            "matcher": None,
        }
        if ticket is not None:
            reply_to = {
                "exchange": self._mailbox.reply_exchange.name,
                "routing_key": self._reply_queue.routing_key,
            }
            message |= {"ticket": ticket, "reply_to": reply_to}
        self._producer.publish(
            message,
            exchange=self._mailbox.exchange.name,
            declare=[self._mailbox.exchange],
            headers={
                "clock": self._mailbox.clock.forward(),
                "expires": time.time() + timeout if timeout else 0,
            },
            serializer="json",
            retry=False,
        )

    def _gather(self, wanted: int, deadline: float) -> None:
        while len(self._answers) < max(1, wanted):
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return
            try:
                self._connection.drain_events(timeout=remaining)
            except TimeoutError:
                return

    def _on_message(self, message: Any) -> None:
        """Keep an answer to a question of this round; late ones are no concern of ours."""
        question = self._tickets.get((message.headers or {}).get("ticket", ""))
        if question is None:
            return
        body = message.body.encode() if isinstance(message.body, str) else bytes(message.body)
        if message.content_type != "application/json" or len(body) > LONGEST_ANSWER:
            self.unreadable += 1
            return
        try:
            answer = _decode(question, body)
        except (msgspec.DecodeError, ValueError, RecursionError):
            self.unreadable += 1
            return
        self._answers.extend((question, hostname, part) for hostname, part in answer.items())

    def _connect(self) -> None:
        if self._connection is not None:
            return
        connection = self._connection = self._app.connection_for_write(
            connect_timeout=CONNECT_TIMEOUT
        )
        connection.ensure_connection(max_retries=1, timeout=CONNECT_TIMEOUT)
        channel = connection.channel()
        self._mailbox = self._app.control.mailbox(connection)
        self._producer = kombu.Producer(channel, auto_declare=False)
        self._reply_queue = self._mailbox.get_reply_queue()(channel)
        consumer = kombu.Consumer(
            channel, [self._reply_queue], on_message=self._on_message, no_ack=True, accept=["json"]
        )
        consumer.consume()

    def close(self) -> None:
        """Drop the connection, and with it the reply queue."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.release()
            except Exception:  # noqa: BLE001 -- any transport may raise its own; it is gone
                connection.collect()


def _decode(question: str, body: bytes) -> dict[str, Any]:
    """Decode an answer; what strict JSON refuses (NaN in an argument, say) goes the slow way."""
    decoder = QUESTIONS[question]
    try:
        return decoder.decode(body)  # type: ignore[no-any-return]
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        loose = json.loads(body)
        if question in {"reserved", "scheduled"}:  # counted, not read
            return msgspec.convert(loose, dict[str, list[Any]])
        return msgspec.convert(loose, decoder.type)  # type: ignore[no-any-return]


def _merged(answers: list[tuple[str, str, Any]]) -> list[readings.WorkerReading]:
    """Put together what each worker said; two answers to one question are two workers."""
    by_hostname: dict[str, dict[str, Any]] = {}
    times: dict[str, int] = {}
    for question, hostname, part in answers:
        by_hostname.setdefault(hostname, {})[question] = part
        if question == "stats":
            times[hostname] = times.get(hostname, 0) + 1
    return [
        _reading(hostname, parts, times.get(hostname, 1)) for hostname, parts in by_hostname.items()
    ]


def _reading(hostname: str, parts: dict[str, Any], answers: int) -> readings.WorkerReading:
    stats = parts.get("stats") or _Stats()
    pool = stats.pool or _Pool()
    consumed, active = parts.get("active_queues"), parts.get("active")
    usage = stats.rusage.maxrss if stats.rusage else None
    return readings.WorkerReading(
        hostname=hostname,
        pid=stats.pid,
        pool=_pool_name(pool.implementation),
        concurrency=pool.max_concurrency,
        prefetch_count=stats.prefetch_count,
        max_rss_bytes=None if usage is None else usage * 1024,
        queues=None if consumed is None else tuple(queue.name for queue in consumed),
        reserved=_length(parts.get("reserved")),
        scheduled=_length(parts.get("scheduled")),
        active=None if active is None else tuple(_active(task) for task in active),
        answers=answers,
    )


def _length(part: list[Any] | None) -> int | None:
    return None if part is None else len(part)


def _active(task: _Running) -> readings.ActiveTask:
    delivery = task.delivery_info
    # With the default exchange the routing key is the queue; with others it need not be.
    queue = delivery.routing_key if delivery and delivery.exchange == "" else None
    return readings.ActiveTask(
        task_id=task.id, name=task.name, queue=queue, started_at=task.time_start
    )


def _pool_name(implementation: str | None) -> str | None:
    """Return ``prefork`` of ``celery.concurrency.prefork:TaskPool``."""
    if not implementation:
        return None
    name = implementation.partition(":")[0].rpartition(".")[2]
    return "threads" if name == "thread" else name


def control_app(broker: schema.Broker) -> Any:
    """Return a Celery application that does nothing but remote control on ``broker``."""
    app = celery.Celery("celery-sentinel", broker=broker.url, set_as_current=False)
    redis = broker.url.startswith(("redis", "sentinel"))
    # Without a time-out a broker that is frozen would hold the polling thread for ever.
    timeouts = {"socket_timeout": SOCKET_TIMEOUT} if redis else {}
    if broker.url.startswith(("amqp", "pyamqp")):
        timeouts = {"read_timeout": SOCKET_TIMEOUT, "write_timeout": SOCKET_TIMEOUT}
    app.conf.broker_transport_options = {**timeouts, **broker.transport_options}
    if broker.tls is not None:
        prefix = "ssl_" if redis else ""
        given = {
            f"{prefix}ca_certs": broker.tls.ca_file,
            f"{prefix}certfile": broker.tls.cert_file,
            f"{prefix}keyfile": broker.tls.key_file,
        }
        app.conf.broker_use_ssl = {key: value for key, value in given.items() if value}
    return app
