"""What is no JSON is refused by its name, never decoded; what is too large is not held."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import pathlib
import pickle
import time
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import kombu
import pytest
from kombu import compression, serialization

from celery_sentinel.events import decoding
from tests.unit.events import published

if TYPE_CHECKING:
    from collections.abc import Callable

EVENTS = published.started(3)
EXPECTED = [published.plain(raw) for raw in EVENTS]
BODY = json.dumps(EVENTS).encode()


class _Touch:
    """Creates a file when it is unpickled."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[pathlib.Path]]:
        return pathlib.Path.touch, (self._path,)


def test_a_pickle_is_never_loaded(tmp_path: pathlib.Path) -> None:
    """A pickle that would run code is refused, whatever its message claims that it is."""
    trap = tmp_path / "touched"
    body = pickle.dumps(_Touch(trap))
    named = published.envelope(body, **{"content-type": "application/x-python-serialize"})
    outcomes = [
        published.decoded(named),
        published.decoded_body(body, content_type="application/x-python-serialize"),
    ]
    assert [outcome.rejected for outcome in outcomes] == [{"content_type": 1}] * 2
    for disguised in (published.decoded(published.envelope(body)), published.decoded_body(body)):
        assert disguised.rejected == {"malformed": 1}
    assert not trap.exists()
    pickle.loads(body)  # noqa: S301 -- shows that the trap works
    assert trap.exists()


@pytest.mark.parametrize("serializer", ["pickle", "yaml"])
def test_other_serializers_of_celery(serializer: str) -> None:
    """Events that a site has Celery write as pickle or YAML are counted by content type."""
    envelopes = published.sent(
        lambda dispatcher: dispatcher.send("task-started", uuid="u"), serializer=serializer
    )
    assert published.decoded(envelopes).rejected == {"content_type": 1}


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-yaml",
        "application/data",  # signed, by the serializer ``auth``
        "text/plain",
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "",
    ],
)
def test_other_content_types(content_type: str) -> None:
    """Nothing but JSON and msgpack is decoded, even if it could be; the name is remembered."""
    enveloped = published.decoded(published.envelope(BODY, **{"content-type": content_type}))
    bare = published.decoded_body(BODY, content_type=content_type)
    for outcome in (enveloped, bare):
        assert (outcome.events, outcome.rejected) == ([], {"content_type": 1})


@pytest.mark.parametrize(
    "changes",
    [
        {"body": None},
        {"body": 7},
        {"body": ["x"]},
        {"body": "not base64!"},
        {"body": "e30"},  # without its padding
        {"body": "ünïcode"},
        {"body": "\ud800"},
        {"content-type": None},
        {"content-type": ["application/json"]},
        {"body": 7, "headers": "x"},
        {"body": "e30", "properties": "x"},
        {"body": "e30", "properties": ["x"]},
        {"body": "!", "headers": {"compression": 7}},
    ],
)
def test_an_envelope_of_the_wrong_shape(changes: dict[str, object]) -> None:
    """An envelope that is not kombu's is counted, and nothing worse."""
    outcome = published.decoded(published.envelope(b"{}", **changes))
    assert outcome.events == []
    assert sum(outcome.rejected.values()) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"\x00",
        b"\xff" * 100,
        b"\x80\x04\x95",
        b"null",
        b"true",
        b"0",
        b"-1.5e3",
        b'"text"',
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"<html></html>",
        b"\xef\xbb\xbf{}",
        '{"type": "a"}'.encode("utf-16"),
        '{"type": "a"}'.encode("utf-32"),
    ],
    ids=repr,
)
def test_what_is_no_event_at_all(data: bytes) -> None:
    """Bytes, scalars and depth are each one message lost, as an envelope and as a body."""
    for outcome in (published.decoded(data), published.decoded_body(data)):
        assert outcome.events == []
        assert outcome.salvaged == {}
        assert sum(outcome.rejected.values()) == 1


def test_oversized_messages() -> None:
    """A message over the limit is counted as such, and its events count all the same."""
    data = published.envelope(BODY)
    assert published.decoded(data, max_message_bytes=len(data)).events == EXPECTED
    over = published.decoded(data, max_message_bytes=len(data) - 1)
    assert (over.events, over.rejected, over.salvaged) == (EXPECTED, {}, {"oversized": 1})
    at = published.decoded_body(BODY, limits={"max_message_bytes": len(BODY)})
    assert at.events == EXPECTED
    over = published.decoded_body(BODY, limits={"max_message_bytes": len(BODY) - 1})
    assert (over.events, over.rejected, over.salvaged) == (EXPECTED, {}, {"oversized": 1})


def test_a_damaged_batch_of_too_many() -> None:
    """A damaged list of more elements than any batch has is refused as a whole."""
    elements = ['{"type": "a"}'] * decoding.MAX_BATCH
    outcome = published.decoded_body(f"[{','.join(elements)}".encode())
    assert len(outcome.events) == decoding.MAX_BATCH
    outcome = published.decoded_body(f"[{','.join(elements)},{{}}, nope]".encode())
    assert (outcome.events, outcome.rejected) == ([], {"oversized": 1})


@pytest.mark.parametrize("method", ["gzip", "zlib"])
def test_compression_as_kombu_does_it(method: str) -> None:
    """A compressed message is opened, by way of the envelope and of the bare body."""
    tap = published.Tap()
    try:
        tap.producer.publish(EVENTS, routing_key="task.multi", compression=method)
        outcome = published.decoded(tap.envelopes())
    finally:
        tap.close()
    assert (outcome.events, outcome.rejected) == (EXPECTED, {})
    assert outcome.salvaged == {"compressed": 1}
    body, name = compression.compress(BODY, method)
    assert published.decoded_body(body, compression=name).events == EXPECTED


def test_a_gzip_file_is_opened_too() -> None:
    """Other clients write a gzip header where kombu writes zlib's."""
    body = gzip.compress(BODY)
    assert published.decoded_body(body, compression="application/x-gzip").events == EXPECTED


@pytest.mark.parametrize(
    ("name", "compress"),
    [
        ("application/x-bz2", bz2.compress),
        ("application/x-lzma", lzma.compress),
        ("application/zstd", zlib.compress),
        ("gzip", zlib.compress),
        ("no such thing", bytes),
        ("application/x-gzip\x00", zlib.compress),
    ],
)
def test_other_compressions(name: str, compress: Callable[[bytes], bytes]) -> None:
    """A compression we do not open is a content type we do not take."""
    outcome = published.decoded_body(compress(BODY)[:-1] + b"!", compression=name)
    assert (outcome.events, outcome.rejected) == ([], {"content_type": 1})


@pytest.mark.parametrize(
    "body",
    [b"", b"x", b"\x78\x9c", zlib.compress(BODY)[2:], BODY[:-1]],
    ids=[
        "empty",
        "a letter",
        "no more than a header",
        "no header",
        "cut JSON",
    ],  # BODY tells the time
)
def test_what_only_claims_to_be_compressed(body: bytes) -> None:
    """A body that is no zlib stream is malformed."""
    outcome = published.decoded_body(body, compression="application/x-gzip")
    assert (outcome.events, outcome.rejected) == ([], {"malformed": 1})


def test_a_compressed_batch_cut_at_every_byte() -> None:
    """A cut zlib stream never raises and is always counted; what it holds may be saved."""
    body = zlib.compress(BODY)
    for cut in range(len(body)):
        outcome = published.decoded_body(body[:cut], compression="application/x-gzip")
        assert outcome.events == EXPECTED[: len(outcome.events)]
        assert outcome.rejected or outcome.salvaged, cut


@pytest.mark.parametrize("size", [500, 501])
def test_the_limit_counts_what_comes_out(size: int) -> None:
    """The size after decompression has the limit of messages, to the byte."""
    plain = b'[{"type": "a"}]'.ljust(size)
    outcome = published.decoded_body(
        zlib.compress(plain),
        compression="application/x-gzip",
        limits={"max_message_bytes": 500},
    )
    assert outcome.rejected == ({} if size == 500 else {"oversized": 1})
    assert len(outcome.events) == (1 if size == 500 else 0)


def test_a_zip_bomb() -> None:
    """A small message that would become a large one is stopped on its way."""
    packer = zlib.compressobj(9)
    bomb = b"".join([packer.compress(b"["), *(packer.compress(b" " * 2**20) for _ in range(256))])
    bomb += packer.flush()
    begun = time.process_time()
    tracemalloc.start()
    try:
        outcome = published.decoded_body(bomb, compression="application/x-gzip")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert outcome.rejected == {"oversized": 1}
    assert peak < 4 * decoding.MAX_MESSAGE_BYTES
    assert time.process_time() - begun < 5


def test_kombu_names_json_as_we_do() -> None:
    """The content type we accept is the one kombu writes."""
    content_type, encoding, _ = serialization.dumps([], serializer="json")
    assert (content_type, encoding) == (decoding.JSON, "utf-8")
    assert compression.get_encoder("gzip")[1] == decoding.ZLIB
    assert kombu.VERSION >= (5, 4)
