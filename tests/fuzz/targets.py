"""What must hold for any bytes at each place where bytes of strangers come in."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import hiredis

from celery_sentinel import errors
from celery_sentinel.brokers import socket_reader
from celery_sentinel.brokers.amqp import frames as amqp_frames
from celery_sentinel.brokers.redis import events as redis_events
from celery_sentinel.config import convert, schema, yaml_nodes
from celery_sentinel.events import decoding
from celery_sentinel.events.event import MAX_KEPT, Event
from celery_sentinel.fleet import model
from celery_sentinel.metrics import exposition, samples
from celery_sentinel.metrics.collectors import queues, sentinel, tasks, workers
from celery_sentinel.remote_control import replies
from celery_sentinel.telemetry import subscription
from tests.fuzz import http, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LIMIT = 64 * 1024  # bytes of a message here; what is fuzzed is shorter
EPOCH = 1_700_000_000.0
SMALL = schema.Config(
    metrics=schema.Metrics(
        limits=schema.Limits(names=3, queues=3, workers=3, exceptions=2, series=6)
    ),
    tasks=schema.Tasks(max_records=5, ttl=schema.Seconds(60), grace=schema.Seconds(1)),
)
BY_HOSTNAME = schema.Config(tasks=schema.Tasks(labels=("hostname",), max_records=20))


def envelope(data: bytes) -> None:
    """Each message leaves a trace: events, or a count under a reason."""
    decoder, found = decoding.Decoder(max_message_bytes=LIMIT), list[Event]()
    decoder.envelope(data, found)
    _check_decoded(decoder, found)


def body(data: bytes) -> None:
    """Check the same of a body, as it is and as one that is said to be compressed."""
    for compression in (None, decoding.ZLIB):
        decoder, found = decoding.Decoder(max_message_bytes=LIMIT), list[Event]()
        decoder.body(data, found, compression=compression)
        _check_decoded(decoder, found)


def _check_decoded(decoder: decoding.Decoder, found: list[Event]) -> None:
    assert found or decoder.rejected.total(), "a message without a trace"
    assert len(found) <= decoding.MAX_BATCH
    for event in found:
        assert isinstance(event.type, str)
        assert abs(event.retries) <= MAX_KEPT
        assert event.timestamp * 0 == 0, "a time that is no number"


def frames(data: bytes) -> None:
    """AMQP gives the same events and the same end however the stream is cut into reads."""
    cut = data[0] % 7 + 1 if data else 1
    stream_bytes = data[1:]
    whole = _read_frames([stream_bytes])
    pieces = [stream_bytes[at : at + cut] for at in range(0, len(stream_bytes), cut)]
    assert whole == _read_frames(pieces)


def _read_frames(pieces: list[bytes]) -> tuple[list[Event], dict[str, int], str]:
    decoder, found, end = decoding.Decoder(max_message_bytes=LIMIT), list[Event](), ""
    reader = amqp_frames.FrameReader(decoder)
    try:
        for piece in pieces:
            more = reader.feed(piece, found)
            while more:
                more = reader.feed(b"", found)
    except errors.BrokerError as error:
        end = str(error)
    return found, dict(decoder.rejected), end


def answers(data: bytes) -> None:
    """Check that answers of workers are read or refused, and that the fleet takes what is read."""
    questions = list(replies.QUESTIONS)
    if not data:
        return
    fleet, read = model.Fleet(SMALL), list[replies.Answer]()
    for number, part in enumerate(data[1:].split(b"\n\n")):
        question = questions[(data[0] + number) % len(questions)]
        kind = "application/json" if data[0] < 128 else "application/x-msgpack"
        try:
            read.append(replies.read(question, kind, part))
        except ValueError:
            continue  # refused
    merged = replies.merge(read)
    for now in (1000.0, 1010.0):
        fleet.apply_answers(merged, asked_at=now - 5, now=now, wall=EPOCH + now)
    assert len(fleet.workers.by_hostname) <= SMALL.metrics.limits.workers
    _show(fleet)


def pipeline(data: bytes) -> None:
    """From bodies to the exposition: no number is lost, no limit passed, all of it parses."""
    config = BY_HOSTNAME if data[:1] > b"\x7f" else SMALL
    fleet, decoder, now = model.Fleet(config), decoding.Decoder(max_message_bytes=LIMIT), 1000.0
    applied = 0
    for number, part in enumerate(data[1:].split(b"\x00")):
        found: list[Event] = []
        decoder.body(part, found)
        fleet.apply(found, now, EPOCH + now)
        applied += len(found)
        now += (number % 5) ** 3
        fleet.tick(now, EPOCH + now, listening=number % 3 > 0)
    assert fleet.failures == 0, fleet.last_failure
    assert sum(fleet.event_counts.values()) + fleet.unknown_types == applied
    limits = config.metrics.limits
    assert len(fleet.records.by_id) <= config.tasks.max_records
    assert len(fleet.workers.by_hostname) <= limits.workers
    assert len(fleet.queues.by_name) <= limits.queues
    assert len(fleet.series) <= limits.series + 1  # the last is that of all others
    _show(fleet)


def _show(fleet: model.Fleet) -> None:
    """Render both formats and read them back."""
    connection = subscription.Subscription(transport="redis", url="redis://localhost")

    def families() -> Iterator[samples.Family]:
        yield from tasks.collect(fleet, compat=True)
        yield from workers.collect(fleet)
        yield from queues.collect(fleet, connection)
        yield from sentinel.collect(fleet, connection)

    shown = exposition.Exposition(families, extra=lambda _: "", hold=0.0)
    for as_openmetrics in (False, True):
        text.check(shown.render(openmetrics=as_openmetrics), as_openmetrics=as_openmetrics)


def resp(data: bytes) -> None:
    """Check that our Redis stream gives the same events and end in whatever pieces it reads."""
    whole, cut = (
        _read_redis([data] if data else []),
        _read_redis([data[n : n + 3] for n in range(0, len(data), 3)]),
    )
    assert whole == cut


def _read_redis(pieces: list[bytes]) -> tuple[list[Event], dict[str, int], str]:
    decoder, found = decoding.Decoder(max_message_bytes=LIMIT), list[Event]()
    source = redis_events.RedisStream(SMALL, decoder)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as ours,
        listener.accept()[0] as theirs,
    ):
        # To connect takes a server that subscribes us.
        source._reader, source._pending = hiredis.Reader(), 0  # noqa: SLF001
        source._socket_reader = socket_reader.SocketReader(ours)  # noqa: SLF001
        try:
            for piece in pieces:
                theirs.sendall(piece)
                found += source.read()
            theirs.shutdown(socket.SHUT_WR)
            while True:
                found += source.read()
        except errors.BrokerError as error:
            return found, dict(decoder.rejected), str(error)


def config(data: bytes) -> None:
    """Check that a config file is valid, or refused in one line that says where."""
    try:
        convert.convert(yaml_nodes.parse(data, "fuzz.yml"), schema.Config)
    except errors.ConfigError as error:
        line = str(error)
        assert line.startswith("fuzz.yml"), line
        assert line.isprintable(), line


TARGETS: dict[str, Callable[[bytes], None]] = {
    "envelope": envelope,
    "body": body,
    "frames": frames,
    "answers": answers,
    "pipeline": pipeline,
    "resp": resp,
    "config": config,
    "http": http.check,
}
