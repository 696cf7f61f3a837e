"""Answers that are none are counted, and harm nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from celery_sentinel import errors
from tests.integration.workers import impostor
from tests.servers import deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from celery_sentinel.remote_control import client as remote_control
    from tests import conftest
    from tests.servers import daemon, redis, server

    MakeControl = Callable[[str], remote_control.Control]
    StartImpostor = Callable[[str, impostor.Answer], impostor.Impostor]


W1 = ["w1@fleet"]
SECONDS = 60.0
LARGE = 1_000_000

GARBAGE = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b"17",
    b"not json",
    b'{"w9@fleet": {"pool": 5}}',
    b'{"w9@fleet": NaN}',
    b'{"w9@fleet": [{}]}',
    b'{"a": [], "b": []}',
    b'{"\xff": []}',
    b"[" * 100_000,
    b'{"w9@fleet": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"w9@fleet": "' + b"x" * (17 * 1024 * 1024) + b'"}',
]


@pytest.mark.parametrize("body", GARBAGE, ids=lambda body: repr(body[:20]))
def test_garbage_is_counted_and_costs_nobody_else_his_answer(
    body: bytes,
    redis_server: redis.RedisServer,
    make_control: MakeControl,
    start_impostor: StartImpostor,
) -> None:
    """An answer that is none, with a ticket that is right, is unreadable; the next one counts."""
    asking = make_control(redis_server.url)
    # One of the largest does: five are more than a round has room for, whoever sends them.
    large = len(body) > LARGE

    def answer(request: Mapping[str, Any]) -> Iterator[impostor.Reply]:
        if not large or request["method"] == "stats":
            yield impostor.Reply(body, {"ticket": request["ticket"]})
        yield impostor.honest(request, "w1@fleet")

    start_impostor(redis_server.url, answer)

    found = asking.ask(expected=W1, timeout=SECONDS)

    assert asking.unreadable > 0
    assert [one.concurrency for one in found if one.hostname == "w1@fleet"] == [2]


def test_what_is_no_answer_to_this_round_is_ignored(
    broker: server.Broker, make_control: MakeControl, start_impostor: StartImpostor
) -> None:
    """Tickets of other rounds change nothing; no ticket, and pickles, are unreadable."""

    def answer(request: Mapping[str, Any]) -> Iterator[impostor.Reply]:
        ticket = {"ticket": request["ticket"]}
        body = json.dumps({"w9@fleet": impostor.HONEST[request["method"]]}).encode()
        yield impostor.Reply(body, {"ticket": "another round's"})
        yield impostor.Reply(body, {})
        yield impostor.Reply(body, {"ticket": ["a list"]})
        yield impostor.Reply(b"\x80\x04N.", ticket, "application/x-python-serialize")
        yield impostor.honest(request, "w1@fleet")

    start_impostor(broker.url, answer)
    asking = make_control(broker.url)

    found = asking.ask(expected=W1, timeout=SECONDS)

    assert [one.hostname for one in found] == ["w1@fleet"]
    assert asking.unreadable == 3 * len(impostor.HONEST)


def test_a_fleet_whose_answers_cannot_be_read_is_a_failure_and_not_a_silence(
    redis_server: redis.RedisServer,
    make_control: MakeControl,
    start_worker: conftest.StartWorker,
) -> None:
    """Workers that answer in pickle are not said to be silent: the round fails, and says why."""
    config = {"task_serializer": "pickle", "accept_content": ["json", "pickle"]}
    start_worker(redis_server.url, config=config, environment={"C_FORCE_ROOT": "1"})

    asking = make_control(redis_server.url)

    def failure() -> str:
        """Return why a round failed; nothing while no answer came in time."""
        try:
            assert asking.ask(expected=W1, timeout=1) == []
        except errors.BrokerError as error:
            return str(error)
        return ""

    told = deadline.wait_until(failure, SECONDS, "the round fails")
    assert "application/x-python-serialize; only JSON and" in told


def test_hostile_lists_in_redis_harm_nothing(
    redis_server: redis.RedisServer, make_control: MakeControl, start_impostor: StartImpostor
) -> None:
    """Elements of the reply list that are not even messages are counted and passed over."""
    elements = [b"", b"\xff\xfe", b"17", b"[]", b"{}", b'{"properties": 1}', b"[" * 100_000]
    with redis_server.client() as redis:

        def answer(request: Mapping[str, Any]) -> list[impostor.Reply]:
            for key in impostor.reply_lists(redis, request["reply_to"]):
                redis.lpush(key, *elements)
            return [impostor.honest(request, "w1@fleet")]

        start_impostor(redis_server.url, answer)
        asking = make_control(redis_server.url)

        found = asking.ask(expected=W1, timeout=SECONDS)

    assert [one.concurrency for one in found] == [2]
    assert asking.unreadable >= 4 * len(elements)


def test_the_daemon_counts_garbage_and_keeps_what_it_knows(
    broker: server.Broker,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    start_impostor: StartImpostor,
) -> None:
    """With rubbish and names of any byte among the answers, /metrics stays what it was."""
    sentinel = ask_often(broker.url)
    start_worker(broker.url)

    def answer(request: Mapping[str, Any]) -> Iterator[impostor.Reply]:
        ticket = {"ticket": request["ticket"]}
        for body in GARBAGE[:-1]:
            yield impostor.Reply(body, ticket)
        for name in ("a\x00b", "\ud800", 'q"\\\n', "x" * 100_000, ""):
            yield impostor.honest(request, name)

    start_impostor(broker.url, answer)

    def seen() -> bool:
        samples = sentinel.scrape()
        counted = _value(samples, "celery_sentinel_caught_failures_total", part="control")
        asked = _value(samples, "celery_sentinel_poll_success", poller="workers")
        names = ("responding", "concurrency", "up")
        w1 = [_value(samples, f"celery_worker_{name}", hostname="w1@fleet") for name in names]
        return bool(counted) and asked == 1 and w1 == [1, 2, 1]

    deadline.wait_until(seen, SECONDS, "garbage is counted and w1 answers")
    assert sentinel.get("/api/v1/status").status_code == 200
    assert sentinel.get("/").status_code == 200


def _value(samples: daemon.Samples, name: str, **labels: str) -> float | None:
    return samples.get((name, frozenset(labels.items())))
