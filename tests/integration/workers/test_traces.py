"""Asking workers leaves nothing behind in the broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.workers import conftest
from tests.servers import deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis as client

    from celery_sentinel.remote_control import client as remote_control
    from tests import conftest as fixtures
    from tests.servers import rabbitmq, redis

    MakeControl = Callable[[str], remote_control.Control]


W1 = ["w1@fleet"]
_MUTEX = b"unacked_mutex"
_LENGTH = {b"list": "LLEN", b"set": "SCARD", b"zset": "ZCARD", b"hash": "HLEN"}


def test_two_hundred_rounds_leave_no_key_in_redis(
    redis_server: redis.RedisServer,
    make_control: MakeControl,
    start_worker: fixtures.StartWorker,
) -> None:
    """The keys after 200 rounds with two workers are those after the first."""
    asking = make_control(redis_server.url)
    for name in ("w1", "w2"):
        start_worker(redis_server.url, name=name)
    names = ["w1@fleet", "w2@fleet"]

    with redis_server.client() as redis:
        conftest.answered(asking, names)
        before = _sizes(redis)
        for _ in range(200):
            assert len(asking.ask(expected=names, timeout=conftest.SECONDS)) == 2
        assert _sizes(redis) == before


def test_answers_that_come_too_late_leave_no_key_in_redis(
    redis_server: redis.RedisServer,
    make_control: MakeControl,
    start_worker: fixtures.StartWorker,
) -> None:
    """Late answers are taken from the list in the next round, and are not part of it."""
    asking = make_control(redis_server.url)
    late = start_worker(redis_server.url)

    with redis_server.client() as redis:
        conftest.answered(asking, W1)
        before = _sizes(redis)
        late.pause()
        for _ in range(3):
            conftest.unanswered(asking, W1)
        late.resume()
        found = asking.ask(expected=W1, timeout=conftest.SECONDS)
        assert [one.answers for one in found] == [1]
        assert _sizes(redis) == before


def test_answers_to_one_that_has_gone_leave_no_key_in_redis(
    redis_server: redis.RedisServer,
    make_control: MakeControl,
    start_worker: fixtures.StartWorker,
) -> None:
    """After close() a worker that answers late finds nobody to leave its answer with."""
    late = start_worker(redis_server.url)
    with redis_server.client() as redis:
        before = _sizes(redis)
        asking = make_control(redis_server.url)
        conftest.answered(asking, W1)
        late.pause()
        conftest.unanswered(asking, W1)

        asking.close()
        late.resume()

        # It answers in the order in which it was asked, so by then it has done the other.
        another = make_control(redis_server.url)
        assert len(another.ask(expected=W1, timeout=conftest.SECONDS)) == 1
        another.close()
        deadline.wait_until(lambda: _sizes(redis) == before, 60, "the lists have ended")


def test_close_removes_the_reply_queue_from_rabbitmq(
    rabbitmq_server: rabbitmq.RabbitServer,
    make_control: MakeControl,
    start_worker: fixtures.StartWorker,
) -> None:
    """One reply queue exists while asking, whatever the number of rounds, and none afterwards."""
    start_worker(rabbitmq_server.url)
    asking = make_control(rabbitmq_server.url)
    for _ in range(20):
        assert len(asking.ask(expected=W1, timeout=conftest.SECONDS)) == 1
    assert len(_reply_queues(rabbitmq_server)) == 1

    asking.close()

    deadline.wait_until(lambda: not _reply_queues(rabbitmq_server), 60, "the queue is gone")


def _sizes(redis: client.Redis) -> dict[bytes, int]:
    """Return how much each key holds, but for one that comes and goes with a worker's own look."""
    sizes = {}
    for key in set(redis.scan_iter()) - {_MUTEX}:
        kind = redis.type(key)
        sizes[key] = redis.execute_command(_LENGTH[kind], key) if kind in _LENGTH else 1
    return sizes


def _reply_queues(node: rabbitmq.RabbitServer) -> list[str]:
    listed = node.ctl("list_queues", "--vhost", node.vhost, "name").split()
    return [name for name in listed if name.endswith("reply.celery.pidbox")]
