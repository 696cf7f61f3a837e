"""Numbers that cannot be spoil nothing that is exported, kept or shown, whoever forged them."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from celery_sentinel import status
from celery_sentinel.events import decoding
from celery_sentinel.events.event import Event
from celery_sentinel.metrics import catalogue, samples
from celery_sentinel.metrics.collectors import objectives, queues, sentinel, tasks, workers
from celery_sentinel.remote_control import replies
from celery_sentinel.web.pages import landing
from tests.unit.fleet.stage import EPOCH, ID, QUEUE, TASK, WORKER, Stage
from tests.unit.state import restarts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FORGED: list[Any] = [1e300, -1e300, math.nan, math.inf, -math.inf, 10**400, -(10**400), 2**64, 1e10]
TASK_EVENTS = [
    "sent",
    "received",
    "started",
    "succeeded",
    "failed",
    "retried",
    "revoked",
    "rejected",
]
WORKER_EVENTS = ["heartbeat", "online", "offline"]
KINDS = [*(f"task-{kind}" for kind in TASK_EVENTS), *(f"worker-{kind}" for kind in WORKER_EVENTS)]
FIELDS = ["timestamp", "runtime", "eta", "expires", "clock", "retries", "pid", "active"]
FIELDS += ["processed", "freq", "loadavg"]
DAY = 86_400.0
LATEST = EPOCH + 2 * DAY
LARGEST = 2.0**63  # of a count that a process may tell of itself
LINKS = landing.Links(metrics="/metrics", status="/s", healthy="/h", ready="/r")


def body(kind: str, forged: dict[str, Any]) -> dict[str, Any]:
    """Return an event of the task, or the worker, that an honest life is played of."""
    worker = {"hostname": WORKER, "pid": 7, "clock": 5, "timestamp": EPOCH}
    if kind.startswith("worker"):
        return {**worker, "freq": 2.0, "active": 0, "processed": 1, "type": kind, **forged}
    told = {"name": TASK, "queue": QUEUE, "retries": 0, "runtime": 0.5, "exception": "E()"}
    return {**worker, **told, "uuid": ID, "type": kind, **forged}


def encoded(found: dict[str, Any], content_type: str) -> bytes:
    """Return the body of a message; an OverflowError says that msgpack cannot write it."""
    return (
        json.dumps(found).encode()
        if content_type == decoding.JSON
        else msgspec.msgpack.encode(found)
    )


def told(found: dict[str, Any], content_type: str) -> list[Event]:
    """Return what the decoder makes of an event; what it refused is counted."""
    data = encoded(found, content_type)
    decoder, out = decoding.Decoder(), list[Event]()
    decoder.body(data, out, content_type=content_type)
    assert len(out) + sum(decoder.rejected.values()) == 1
    return out


def live(play: Stage, uuid: str) -> None:
    """Play the honest life of one task and of its worker."""
    play.beat(processed=0)
    play.sent(uuid)
    play.received(uuid)
    play.jump(1)
    play.started(uuid)
    play.jump(2)
    play.ended(uuid=uuid, runtime=2.0)
    play.beat(processed=1)


def shown(play: Stage) -> Iterable[tuple[catalogue.Metric, float]]:
    """Yield each number that is exported."""
    connection, fleet = play.stream, play.fleet
    for family in (
        *tasks.collect(fleet, compat=True),
        *workers.collect(fleet),
        *queues.collect(fleet, connection, compat=True),
        *objectives.collect(fleet),
        *sentinel.collect(fleet, connection),
    ):
        for _, value in family.children:
            if isinstance(value, samples.Distribution):
                yield family.metric, value.sum
                yield from ((family.metric, count) for count in value.counts)
            else:
                yield family.metric, value


def check(play: Stage) -> None:
    """Assert that all that is exported, kept and shown can be."""
    play.tick()
    for metric, value in shown(play):
        assert math.isfinite(value), metric.name
        assert -DAY <= value <= LARGEST, (metric.name, value)
        if metric.name.endswith("timestamp_seconds"):
            assert value <= LATEST, (metric.name, value)
        elif metric.unit == "seconds":
            assert value <= DAY, (metric.name, value)
    play.stream.connected(play.now, play.wall)
    built = status.build(play.fleet, play.stream, started=EPOCH, ready=True)
    assert b"</html>" in landing.render(built, LINKS)
    assert json.loads(msgspec.json.encode(built), parse_constant=pytest.fail)
    again = restarts.restarted(play)
    assert again.fleet.failures == 0
    assert dict_of(again) == dict_of(play)


def dict_of(play: Stage) -> dict[Any, Any]:
    """Return the run times by labels: what a restart must bring back."""
    return {
        key: (value.sum, value.counts)
        for key, value in play.children(catalogue.TASK_RUNTIME).items()
    }


@pytest.mark.parametrize("content_type", [decoding.JSON, decoding.MSGPACK])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("field", FIELDS)
def test_given_a_number_that_cannot_be_in_an_event(
    field: str, kind: str, content_type: str
) -> None:
    """The event counts or is refused; what is known beside it stays true."""
    for forged in FORGED:
        value = [forged] * 3 if field == "loadavg" else forged
        try:
            found = told(body(kind, {field: value}), content_type)
        except OverflowError:
            continue  # msgpack cannot write it
        play = Stage()
        live(play, "honest")
        play.fleet.apply(found, play.now, play.wall)
        live(play, "after")
        assert play.fleet.failures == 0, play.fleet.last_failure
        check(play)


ANSWERS: dict[str, Callable[[Any], Any]] = {
    "pid": lambda number: {"stats": {"pid": number}},
    "clock": lambda number: {"stats": {"pid": 7, "clock": number}},
    "clock, as a text": lambda number: {"stats": {"pid": 7, "clock": str(number)}},
    "prefetch_count": lambda number: {"stats": {"prefetch_count": number}},
    "total": lambda number: {"stats": {"pid": 7, "total": {TASK: number}}},
    "maxrss": lambda number: {"stats": {"rusage": {"maxrss": number}}},
    "max-concurrency": lambda number: {"stats": {"pool": {"max-concurrency": number}}},
    "processes": lambda number: {"stats": {"pool": {"processes": [number]}}},
    "autoscaler": lambda number: {"stats": {"autoscaler": {"max": number, "min": 1}}},
    "time_start": lambda number: {"active": [{"id": "runs", "name": TASK, "time_start": number}]},
}


@pytest.mark.parametrize("content_type", [decoding.JSON, decoding.MSGPACK])
@pytest.mark.parametrize("where", ANSWERS)
def test_given_a_number_that_cannot_be_in_an_answer(where: str, content_type: str) -> None:
    """The answer is refused, or the number is nothing; what the worker's events say stays."""
    for forged in FORGED:
        ((question, content),) = ANSWERS[where](forged).items()
        try:
            data = encoded({WORKER: content}, content_type)
        except OverflowError:
            continue  # msgpack cannot write it
        play = Stage()
        live(play, "honest")
        for _ in range(2):
            try:
                play.answers(replies.merge([replies.read(question, content_type, data)]))
            except ValueError:
                play.answer(None)  # refused, and counted as unreadable
            play.jump(5)
        live(play, "after")
        check(play)
