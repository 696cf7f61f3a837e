"""Deliveries are found in a stream of AMQP frames, however it is cut; all else is an error."""

from __future__ import annotations

import itertools
import json
import struct
import zlib

import hypothesis
import pytest
from hypothesis import strategies as st

from celery_sentinel import errors
from celery_sentinel.brokers.amqp import frames as amqp_frames
from celery_sentinel.events import decoding
from celery_sentinel.events.event import Event
from tests.unit.brokers import amqp_stream


def _body(*types: str, size: int = 0) -> bytes:
    return json.dumps([{"type": name, "x": "x" * size} for name in types]).encode()


class _Read:
    """What a reader made of a stream, in the pieces it came in."""

    def __init__(self, *pieces: bytes, leftover: bytes = b"", limit: int = 4 * 2**20) -> None:
        self.decoder = decoding.Decoder(max_message_bytes=limit)
        self.found: list[Event] = []
        reader = amqp_frames.FrameReader(self.decoder, leftover)
        for data in pieces:
            piece = data
            while reader.feed(piece, self.found):
                piece = b""  # it stopped after a message that may have grown

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.found]

    @property
    def rejected(self) -> dict[str, int]:
        return {key: count for key, count in self.decoder.rejected.items() if count}


def test_one_delivery() -> None:
    """A batch comes out in order."""
    read = _Read(amqp_stream.deliver(_body("a", "b", "c")))
    assert (read.types, read.rejected) == (["a", "b", "c"], {})


@pytest.mark.parametrize("size", [0, 1, 4000, 4088, 4089, 8176, 50_000])
def test_a_body_in_several_frames(size: int) -> None:
    """A body larger than a frame is put together again."""
    stream = amqp_stream.deliver(_body("a", size=size), frame_max=amqp_stream.SMALL_FRAME)
    assert _Read(stream + amqp_stream.deliver(_body("b"))).types == ["a", "b"]


STREAM = b"".join(
    [
        amqp_stream.heartbeat(),
        amqp_stream.deliver(_body("a", "b")),
        amqp_stream.method(1, (20, 41)),  # channel.close-ok
        amqp_stream.deliver(_body("c", size=9000), frame_max=amqp_stream.SMALL_FRAME),
        amqp_stream.deliver(b""),
        amqp_stream.heartbeat(),
        amqp_stream.method(3, (60, 31), "s", ("other",)),  # basic.cancel-ok
        amqp_stream.method(0, (10, 60), "s", ("low on memory",)),  # connection.blocked
        amqp_stream.method(0, (10, 61)),
        amqp_stream.deliver(_body("d"), application_headers=None, content_encoding=None),
        amqp_stream.deliver(b"[]"),
        amqp_stream.deliver(
            zlib.compress(_body("e")),
            application_headers={"hostname": "w", "compression": "application/x-gzip", "n": 1},
        ),
        amqp_stream.deliver(_body("no"), content_type="application/x-python-serialize"),
        amqp_stream.deliver(_body("no"), content_type=None),
        amqp_stream.deliver(b"[1]"),
        amqp_stream.deliver(_body("f")),
    ]
)
TYPES = ["a", "b", "c", "d", "e", "f"]
REJECTED = {"malformed": 2, "empty": 1, "content_type": 2}


def test_a_stream_in_one_piece() -> None:
    """Between other methods, heartbeats and unusable messages all events are found."""
    read = _Read(STREAM)
    assert (read.types, read.rejected) == (TYPES, REJECTED)


def test_a_stream_byte_by_byte() -> None:
    """A stream that trickles in is the same stream."""
    read = _Read(*(STREAM[at : at + 1] for at in range(len(STREAM))))
    assert (read.types, read.rejected) == (TYPES, REJECTED)


@hypothesis.given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_a_stream_cut_anywhere(cuts: list[int]) -> None:
    """Wherever the reads end, the events are the same."""
    edges = [0, *sorted(cuts), len(STREAM)]
    read = _Read(*(STREAM[a:b] for a, b in itertools.pairwise(edges)))
    assert (read.types, read.rejected) == (TYPES, REJECTED)


@pytest.mark.parametrize("ahead", [1, 7, 8, 30, 500])
def test_what_was_read_ahead_comes_first(ahead: int) -> None:
    """The bytes that py-amqp had read beyond its own are the beginning of the stream."""
    assert _Read(STREAM[ahead:], leftover=STREAM[:ahead]).types == TYPES


def test_an_empty_body() -> None:
    """A message without a body is malformed, and the next one is read."""
    header = struct.pack(">HHQH", 60, 0, 0, 1 << 15) + b"\x10application/json"
    stream = amqp_stream.frame(2, header, channel=3) + amqp_stream.deliver(_body("a"))
    read = _Read(stream)
    assert (read.types, read.rejected) == (["a"], {"malformed": 1})
    with_frame = amqp_stream.frame(2, header, channel=3) + amqp_stream.frame(3, b"", channel=3)
    assert _Read(with_frame + amqp_stream.deliver(_body("a"))).types == ["a"]


@pytest.mark.parametrize(
    ("size", "rejected"), [(9_000, {}), (39_000, {}), (50_000, {"oversized": 1})]
)
def test_of_an_oversized_body_only_the_ends_are_held(size: int, rejected: dict[str, int]) -> None:
    """Its head and its end tell what it is; what lay between is counted, the next one is read."""
    delivery = amqp_stream.deliver(_body("a", size=size), frame_max=amqp_stream.SMALL_FRAME)
    read = _Read(delivery, amqp_stream.deliver(_body("b")), limit=10_000)
    assert (read.types, read.rejected) == (["a", "b"], rejected)


def test_what_is_held_of_a_body_is_bounded() -> None:
    """However long its header says that it is."""
    decoder = decoding.Decoder(max_message_bytes=10_000)
    reader = amqp_frames.FrameReader(decoder)
    delivery = amqp_stream.deliver(b"x" * 1_000_000, frame_max=amqp_stream.SMALL_FRAME)
    reader.feed(delivery[:-100], [])
    assert sum(map(len, reader._parts)) < 20_000  # noqa: SLF001 -- a bound on memory


@pytest.mark.parametrize(
    ("headers", "types", "rejected"),
    [
        ({"compression": "application/x-gzip"}, ["a"], {}),
        ({"compression": "application/x-bz2"}, [], {"content_type": 1}),
        ({"hostname": "compression"}, [], {"malformed": 1}),
        ({}, [], {"malformed": 1}),
    ],
)
def test_the_compression_header(
    headers: dict[str, str], types: list[str], rejected: dict[str, int]
) -> None:
    """A body is decompressed when its headers say so, and only then."""
    read = _Read(amqp_stream.deliver(zlib.compress(_body("a")), application_headers=headers))
    assert (read.types, read.rejected) == (types, rejected)


def test_headers_that_do_not_matter() -> None:
    """Tables of all types, nested ones too, and all other properties are passed over."""
    stream = amqp_stream.deliver(
        _body("a"),
        application_headers={"t": {"u": [1, 2.5, None, True, "x"]}, "long": "x" * 5000},
        correlation_id="c",
        reply_to="r",
        expiration="5000",
        message_id="m",
        type="t",
        user_id="u",
        app_id="a",
    )
    assert _Read(stream).types == ["a"]


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (
            amqp_stream.method(
                0, (10, 50), "BsBB", (320, "CONNECTION_FORCED - broker forced it", 0, 0)
            ),
            "closed by the server: CONNECTION_FORCED - broker forced it",
        ),
        (
            amqp_stream.method(3, (20, 40), "BsBB", (404, "NOT_FOUND - no exchange 'é'", 60, 20)),
            "closed by the server: NOT_FOUND - no exchange 'é'",
        ),
        (amqp_stream.method(0, (10, 50), "BsBB", (200, "", 0, 0)), "closed by the server: "),
        (amqp_stream.method(3, (60, 30), "sb", ("consumer", True)), "cancelled our consumer"),
    ],
)
def test_what_the_server_ends_is_told(stream: bytes, words: str) -> None:
    """A close or cancel of the server is a broken stream, in the server's own words."""
    with pytest.raises(errors.BrokerError) as caught:
        _Read(stream)
    assert words in str(caught.value)


def test_what_came_before_the_end_is_kept() -> None:
    """Events that stand before a close in the same read are handed over."""
    found: list[Event] = []
    reader = amqp_frames.FrameReader(decoding.Decoder())
    close = amqp_stream.method(0, (10, 50), "BsBB", (320, "bye", 0, 0))
    with pytest.raises(errors.BrokerError):
        reader.feed(amqp_stream.deliver(_body("a", "b")) + close, found)
    assert [event.type for event in found] == ["a", "b"]


HEADER = struct.pack(">HHQH", 60, 0, 20, 1 << 15) + b"\x10application/json"


@pytest.mark.parametrize(
    "stream",
    [
        b"AMQP\x00\x00\x09\x01",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"-ERR unknown command\r\n" * 10,
        amqp_stream.frame(4, b""),
        amqp_stream.frame(0, b""),
        amqp_stream.frame(8, b"", end=0),
        amqp_stream.frame(3, b"x", end=0),
        amqp_stream.frame(1, b""),
        amqp_stream.frame(1, b"\x00\x0a"),
        amqp_stream.frame(1, b"\x00\x0a\x00\x32"),
        amqp_stream.frame(2, b""),
        amqp_stream.frame(2, HEADER[:13]),
        amqp_stream.frame(2, HEADER[:14]),
        amqp_stream.frame(2, struct.pack(">HHQH", 60, 0, 1, 1 << 13) + b"\x0bcompressionS"),
        amqp_stream.frame(3, b"body without a header"),
        amqp_stream.frame(2, HEADER) + amqp_stream.frame(3, b"x" * 21),
        amqp_stream.frame(2, HEADER) + amqp_stream.frame(2, HEADER),
        amqp_stream.frame(2, HEADER) + amqp_stream.frame(3, b"x") + amqp_stream.frame(2, HEADER),
        struct.pack(">BHI", 3, 1, 2**32 - 1) + b"x",
    ],
    ids=repr,
)
def test_what_is_no_amqp_is_a_broken_stream(stream: bytes) -> None:
    """Whatever a server may send instead is a BrokerError that says so."""
    with pytest.raises(errors.BrokerError, match="not the AMQP protocol"):
        _Read(stream)


FRAMES = st.builds(
    amqp_stream.frame,
    st.sampled_from([1, 2, 2, 3, 3, 8]) | st.integers(0, 255),
    st.binary(max_size=60)
    | st.builds(HEADER.__add__, st.binary(max_size=30))
    | st.builds(b"\x00\x0a\x00\x32".__add__, st.binary(max_size=10))
    | st.builds(lambda size, flags: struct.pack(">HHQH", 60, 0, size, flags),
                st.integers(0, 2**64 - 1), st.integers(0, 2**16 - 1)),
    channel=st.integers(0, 2**16 - 1),
)  # fmt: skip


@hypothesis.given(st.binary(max_size=200) | st.lists(FRAMES, max_size=8).map(b"".join))
def test_any_bytes_raise_nothing_else(data: bytes) -> None:
    """Bytes of any kind, or frames with any content, are read or are a BrokerError."""
    for pieces in ([data], [data[at : at + 1] for at in range(len(data))]):
        try:
            _Read(*pieces)
        except errors.BrokerError as error:
            assert str(error)  # noqa: PT017 -- the point is that no other comes


def test_our_own_frames_are_amqp() -> None:
    """The heartbeat and the goodbye we send are what py-amqp would have sent."""
    assert amqp_stream.heartbeat() == amqp_frames.HEARTBEAT
    assert amqp_stream.method(0, (10, 50), "BsBB", (200, "", 0, 0)) == amqp_frames.CLOSE


def test_a_read_ends_after_a_message_that_may_have_grown() -> None:
    """The events of one such message at a time are held; the rest needs no more bytes."""
    slow = b'{"type": "slow", "x": NaN}'
    reader, found = amqp_frames.FrameReader(decoding.Decoder()), list[Event]()
    assert reader.feed(amqp_stream.deliver(_body("a")) + amqp_stream.deliver(slow) * 2, found)
    assert [event.type for event in found] == ["a", "slow"]
    assert reader.feed(b"", found)
    assert not reader.feed(amqp_stream.deliver(_body("b")), found)
    assert [event.type for event in found] == ["a", "slow", "slow", "b"]
