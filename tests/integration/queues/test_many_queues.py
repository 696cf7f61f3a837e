"""Five thousand queues are polled, shown and taken over without holding anybody up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel import poll_results
from celery_sentinel.config import schema
from celery_sentinel.fleet import lock, model
from celery_sentinel.poller import queues
from tests.integration.queues import look

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers import daemon, redis

NAMES = [f"queue{n}" for n in range(5000)]
LIMITS = {"limits": {"queues": 6000}}


def test_all_are_shown(
    redis_server: redis.RedisServer, watch: Callable[..., daemon.Daemon]
) -> None:
    """Each of them has its length; how long a poll takes is printed, not judged."""
    with redis_server.client() as client, client.pipeline() as pipeline:
        for n, name in enumerate(NAMES):
            pipeline.lpush(name, *["x"] * (n % 3 + 1))
        pipeline.execute()
    sentinel = watch(
        redis_server.url,
        metrics=LIMITS,
        queues={"watch": NAMES},
        polling={"queues": "5s"},
    )

    look.eventually(
        lambda: look.value(sentinel, "celery_queue_length") == sum(n % 3 + 1 for n in range(5000)),
        "all are counted",
        seconds=120,
    )
    look.eventually(lambda: len(look.lengths(sentinel)) == 5000, "each has its own")
    duration = look.value(sentinel, "celery_sentinel_poll_duration_seconds", poller="queues")
    assert duration is not None
    print(f"a poll of 5,000 queues took {duration:.3f} s")  # noqa: T201 - for the reader


def test_the_receiver_gets_its_turn_between_portions() -> None:
    """The lock is free many times while one reading is taken over, which is taken over whole."""
    config = schema.Config(
        queues=schema.Queues(watch=tuple(NAMES)),
        metrics=schema.Metrics(limits=schema.Limits(queues=6000)),
    )
    fleet = model.Fleet(config)
    turns = fleet.lock = _CountingLock()
    poll = queues.QueuePoll(_Read(), fleet, interval=5.0)

    poll.ask()

    assert turns.taken >= len(NAMES) / queues.PORTION
    assert {queue.length for queue in fleet.queues} == {7}
    assert fleet.backlog.round_trip == 0.5


class _CountingLock(lock.TurnstileLock):
    """Counts how often it is taken."""

    taken = 0

    def __enter__(self) -> None:
        super().__enter__()
        self.taken += 1


class _Read:
    """A reader that finds seven messages in every queue."""

    def read(self, names: list[str]) -> poll_results.BrokerReading:
        """Return the reading."""
        found = {name: poll_results.QueueReading(length=7) for name in names}
        return poll_results.BrokerReading(queues=found, round_trip=0.5)

    def discover(self) -> list[tuple[str, str]]:
        """Find no further queues."""
        return []

    def close(self) -> None:
        """Do nothing."""
