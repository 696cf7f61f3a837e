"""Writes the corpus: what stock Celery publishes, and what a hostile sender might."""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fuzz import targets
from tests.unit.brokers import amqp_stream
from tests.unit.events import published

if TYPE_CHECKING:
    from collections.abc import Iterator

CORPUS = Path(__file__).with_name("corpus")
HOSTILE = ['quo"te', "back\\slash", "new\nline", "nul\0", "{}%s%d", "\u202e", "x" * 300, "\ud800"]
LIFE = ("sent", "received", "started", "succeeded", "failed", "retried", "revoked", "rejected")


def stories() -> Iterator[bytes]:
    """Yield batches in which tasks and workers live, well or badly named."""
    for number, name in enumerate(["shop.pay", *HOSTILE]):
        common = {"uuid": f"id{number}", "hostname": f"w{number}@{name}", "timestamp": 1.7e9}
        batch: list[object] = [
            {"type": f"task-{how}", "name": name, "queue": name, "exception": f"{name}()",
             "runtime": 1.5, "retries": number, "eta": "2023-11-14T22:13:30+00:00", **common}
            for how in LIFE
        ]  # fmt: skip
        batch += [
            {"type": f"worker-{how}", "freq": 2.0, "active": 1, "processed": number, "pid": number,
             "loadavg": [1, 2, 3], "sw_ver": name, "sw_sys": name, **common}
            for how in ("online", "heartbeat", "offline")
        ]  # fmt: skip
        yield json.dumps(batch).encode()


def bodies() -> Iterator[bytes]:
    """Yield bodies: those stories, and damage of every kind."""
    yield from stories()
    good = b'{"type":"task-sent","uuid":"1","name":"a"}'
    yield from (good, b"", b"[]", b"[%b,tru,%b]" % (good, good), b"[%b" % good)
    yield from (b'{"type":"a","x":NaN}', b'{"type":"a","retries":1%b}' % (b"0" * 60))
    yield from (b"[" * 2000, b'[{"type":"a","x":' + b"[" * 2000, b'"\\ud800', b"\xff\xfe[]")
    yield from (zlib.compress(good), gzip.compress(good), zlib.compress(b" " * 99_999))
    yield b'{"type":"a","uuid":{"__type__":"uuid","__value__":{"hex":"' + b"0" * 32 + b'"}}}'


def envelopes() -> Iterator[bytes]:
    """Yield what Celery itself publishes over Redis, and envelopes of our own making."""
    yield from published.sent(lambda to: to.send("task-sent", uuid="1", name="a", queue="q"))
    yield from published.sent(lambda to: to.send("worker-heartbeat", freq=2, active=0, processed=3))
    yield from published.sent(lambda to: to.send("task-received", uuid="1"), body_encoding=None)
    for one in bodies():
        yield published.envelope(one)
    packed = zlib.compress(b'{"type":"a"}')
    yield published.envelope(packed, headers={"compression": "application/x-gzip"})


def streams() -> Iterator[bytes]:
    """Yield AMQP streams; the first byte says how they are cut."""
    good = b'{"type":"task-sent","uuid":"1"}'
    yield b"\0" + amqp_stream.deliver(good) + amqp_stream.heartbeat() + amqp_stream.deliver(good)
    yield b"\1" + amqp_stream.deliver(good * 200, frame_max=amqp_stream.SMALL_FRAME)
    headers = {"application_headers": {"compression": "application/x-gzip"}}
    yield b"\2" + amqp_stream.deliver(zlib.compress(good), **headers) * 2
    yield (
        b"\3" + amqp_stream.deliver(b"") + amqp_stream.method(0, (10, 50), "BsBB", (320, "x", 0, 0))
    )
    yield b"\4" + amqp_stream.frame(3, b"x") + amqp_stream.frame(2, b"\0" * 14)


def answers() -> Iterator[bytes]:
    """Yield what workers answer; the first byte chooses the first question."""
    said = [
        {"pid": 1, "prefetch_count": 4, "rusage": {"maxrss": 9},
         "pool": {"implementation": "celery.concurrency.prefork:TaskPool", "max-concurrency": 2}},
        [{"name": "q1"}, {"name": "q2"}],
        [{"id": "1", "name": "a", "time_start": 1.7e9,
          "delivery_info": {"exchange": "", "routing_key": "q1"}}],
        [{}, {}],
        [],
    ]  # fmt: skip
    yield b"\0" + b"\n\n".join(json.dumps({"w1@h": one}).encode() for one in said)
    yield b"\0" + b'{"w1@h": {"pid": NaN}}\n\n{"a": [], "b": []}\n\n' + b"[" * 999
    yield b"\x80\x81\xa4w1@h\x80"


def replies() -> Iterator[bytes]:
    """Yield what Redis says, and what it never would."""
    for one in (b"[]", *envelopes()):
        length = str(len(one)).encode()
        yield b"*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\na\r\n$%b\r\n%b\r\n" % (length, one) * 2
    yield from (b"+PONG\r\n", b"-ERR x\r\n", b":12\r\n", b"$-1\r\n", b"*-1\r\n", b"*0\r\n")
    yield from (b"$536870912\r\nx", b"*1\r\n" * 12, b"%1\r\n+a\r\n:1\r\n", b"~1\r\n#t\r\n")


def configs() -> Iterator[bytes]:
    """Yield config files, the example of the documentation among them."""
    yield (Path(__file__).parents[2] / "docs" / "example.yml").read_bytes()
    yield from (b"", b"broker: {url: 1}", b"a: &a [*a]", b"? {}\n: 1", b"\t", b"%YAML 9", b"[" * 99)
    yield b"metrics: {limits: {names: 1e999, series: 0x1f}}\ntasks: {ttl: 1d, ttl: 2d}"


def requests() -> Iterator[bytes]:
    """Yield requests, pipelined, chunked and broken."""
    get = b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n"
    yield from (
        get,
        get * 3,
        get[:20],
        b"\r\n" + get,
        b"\x16\x03\x01garbage",
        b"GET " + b"/" * 3000,
    )
    yield (
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        + get
    )
    yield b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\nx"
    yield b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def pipelines() -> Iterator[bytes]:
    """Yield sequences of bodies; the first byte chooses the configuration."""
    yield b"\0" + b"\0".join(stories())
    for story in stories():
        yield b"\xff" + story


SEEDS = {
    "envelope": envelopes,
    "body": bodies,
    "frames": streams,
    "answers": answers,
    "pipeline": pipelines,
    "resp": replies,
    "config": configs,
    "http": requests,
}


def main() -> None:
    """Write the seeds beside what fuzzing has found, which is kept."""
    assert SEEDS.keys() == targets.TARGETS.keys()
    for target, seeds in SEEDS.items():
        (CORPUS / target).mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(seeds()):
            (CORPUS / target / f"seed-{number:02}").write_bytes(seed)
    sys.stdout.write(f"wrote {CORPUS}\n")


if __name__ == "__main__":
    main()
