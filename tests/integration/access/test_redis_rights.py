"""The Redis user of docs/broker-access.md may do all that is needed, and nothing more."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import redis as client_library

from celery_sentinel.brokers.redis import elsewhere as redis_elsewhere
from tests.integration.access import documented, parts
from tests.servers import deadline

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests import conftest
    from tests.servers import redis

_NOPERM = r"(?i)permission|can't run this command|can't access|EXEC without MULTI"


@pytest.fixture
def words() -> list[str]:
    """Read the page."""
    return documented.acl()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Listen only briefly for heartbeats: what is refused is so at once."""
    monkeypatch.setattr(redis_elsewhere, "LISTEN", 0.05)


def _grant(server: redis.RedisServer, words: Iterable[str]) -> str:
    """Make the user; return the URL with it."""
    with server.client() as client:
        client.execute_command(*words)
        client.acl_log_reset()
    return server.url.replace("redis://", f"redis://{documented.USER}:{documented.PASSWORD}@")


def _without(words: list[str], right: str) -> list[str]:
    """Take a right away, wherever it stands."""
    kept = [word for word in words if word != right]
    return [
        re.sub(rf"(?<=[( ]){re.escape(right)}(?=[ )])", "", word) if word.startswith("(") else word
        for word in kept
    ]


def test_the_page_suffices(
    redis_server: redis.RedisServer,
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
    words: list[str],
) -> None:
    """All parts work, nothing is refused, and no key of ours stays."""
    url = _grant(redis_server, words)
    worker = start_worker(redis_server.url)
    make_producer(redis_server.url).send("quick", queue=parts.QUEUE)

    assert parts.Parts(url).refusals(worker.hostname) == {}
    with redis_server.client() as client:
        assert client.acl_log() == []
        deadline.wait_until(
            lambda: not list(client.scan_iter(match="*celery-sentinel*")), 60, "no key is left"
        )


@pytest.mark.usefixtures("hasty")
def test_each_right_is_needed(
    redis_server: redis.RedisServer,
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
    words: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without any one of them a part fails, or a warning says what is not known."""
    worker = start_worker(redis_server.url)
    make_producer(redis_server.url).send("quick", queue=parts.QUEUE)
    rights = re.findall(r"[+~&][^\s()]+", " ".join(words[4:]))
    rights.remove("+select")  # see below
    told = {}
    for right in dict.fromkeys(rights):
        url = _grant(redis_server, _without(words, right))
        capsys.readouterr()
        refusals = parts.Parts(url).refusals(worker.hostname, hear=False)
        told[right] = " ".join(refusals.values())
        out, err = capsys.readouterr()
        told[right] += out + err

    assert {right: text for right, text in told.items() if not re.search(_NOPERM, text)} == {}


def test_another_database_and_named_queues(
    redis_server: redis.RedisServer,
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
    words: list[str],
) -> None:
    """What the page says of other databases and of the names of queues holds."""
    keys = f"~{parts.QUEUE}* ~unacked_index ~_kombu.binding.* "
    narrow = [word.replace("/0.", "/3.").replace("~* ", keys) for word in words]
    url = _grant(redis_server, narrow)
    worker = start_worker(redis_server.url_for(3))
    make_producer(redis_server.url_for(3)).send("quick", queue=parts.QUEUE)

    assert parts.Parts(url.removesuffix("0") + "3").refusals(worker.hostname) == {}


def test_celery_is_found_in_another_database(
    redis_server: redis.RedisServer,
    start_worker: conftest.StartWorker,
    words: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The page's user sees where workers are; without the right to look it is said, once."""
    start_worker(redis_server.url)
    url = _grant(redis_server, words).removesuffix("0") + "5"

    found = parts.Parts(url).elsewhere()
    assert "Database 0 has Celery's keys" in found
    assert "/0.celeryev/worker.heartbeat" in found
    with redis_server.client() as client:
        assert client.acl_log() == []
    # To choose the database at all takes the right, too: the default user looks, without it.
    with redis_server.client() as client:
        client.execute_command("ACL", "SETUSER", "default", "-select")
    capsys.readouterr()
    assert "Database" not in parts.Parts(redis_server.url).elsewhere()


@pytest.mark.parametrize(
    "command",
    [
        ("DEL", "shop"),
        ("BRPOP", "shop", "1"),
        ("SADD", "_kombu.binding.celery", "x"),
        ("GET", "celery-task-meta-1"),
        ("PUBLISH", "/0.celeryev/task.failed", "x"),
        ("KEYS", "*"),
        ("CONFIG", "GET", "*"),
        ("EVAL", "return redis.call('DEL', KEYS[1])", "1", "shop"),
        ("EVAL", "return redis.call('RPUSH', KEYS[1], 'x')", "1", "shop"),
    ],
    ids=" ".join,
)
def test_nothing_beyond_is_possible(
    redis_server: redis.RedisServer, words: list[str], command: tuple[str, ...]
) -> None:
    """No queue can be emptied or filled, no event forged, no result read, by no script either."""
    url = _grant(redis_server, words)
    with redis_server.client() as client:
        client.rpush("shop", "message")
    with (
        client_library.Redis.from_url(url) as ours,
        pytest.raises(client_library.ResponseError, match=_NOPERM),
    ):
        ours.execute_command(*command)
