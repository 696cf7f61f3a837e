"""Lost events are missed to the event, and nothing is missed that was not lost."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration import task_mix
from tests.servers import daemon, deadline, thief

if TYPE_CHECKING:
    from tests import conftest
    from tests.servers import redis, server, worker

POOLS: tuple[worker.Pool, ...] = ("prefork", "threads", "solo", "gevent")
TASKS = int(os.environ.get("LOSS_TASKS", "800"))
# A worker that leaves three rounds unanswered is judged by its heartbeats alone, and then what is
# silent by design is missed: a loaded machine must not have to answer within six seconds.
CONFIG = "metrics: {zero_born_hold: 0s}\npolling: {workers: 5s, timeout: 4s}\n"
QUICK_BEATS = ("--heartbeat-interval=1",)
POLLED = "celery_sentinel_poll_last_success_timestamp_seconds"
MISSED = "celery_sentinel_events_missed_total"

pytestmark = pytest.mark.timeout(600)

StartFleet = Callable[[str], "list[worker.CeleryWorker]"]


@pytest.fixture
def start_fleet(start_worker: conftest.StartWorker) -> StartFleet:
    """Start a worker of each pool, all on one queue, with more heartbeats than usual."""

    def start(broker_url: str) -> list[worker.CeleryWorker]:
        return [
            start_worker(broker_url, name=pool, pool=pool, extra_args=QUICK_BEATS) for pool in POOLS
        ]

    return start


class _Robbed(thief.Thief):
    """Takes every seventh message with a start, once ``armed``."""

    def __init__(self, port: int) -> None:
        super().__init__(port, self._seventh)
        self.armed = False
        self._seen = 0

    def _seventh(self, events: list[dict[str, Any]]) -> bool:
        if not self.armed or not any(event["type"] == "task-started" for event in events):
            return False
        self._seen += 1
        return self._seen % 7 == 0


@pytest.fixture
def robbed(closing: contextlib.ExitStack) -> Callable[[int], _Robbed]:
    """Lead to a Redis server past a thief."""
    return lambda port: closing.enter_context(_Robbed(port))


def test_nothing_is_missed_where_nothing_was_lost(
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    start_fleet: StartFleet,
    make_producer: conftest.MakeProducer,
) -> None:
    """All pools at full speed: not one false report, and every start was heard."""
    sentinel = watch(broker.url, config=CONFIG)
    fleet = start_fleet(broker.url)
    sending = make_producer(broker.url)
    _warm_up(sentinel, fleet, sending)

    for number in range(TASKS):
        sending.send("quick", number)
    for _ in range(TASKS // 20):
        sending.send("retrying", 1)

    _wait_ended(fleet, sending)
    _wait_judged(sentinel, fleet, sending)
    started = sum(one.truth.outcomes()["started"] for one in fleet)
    # A pool process runs a task before its worker has told of it.
    deadline.wait_until(
        lambda: task_mix.counted(sentinel.scrape(), "started") >= started, 60, f"{started} starts"
    )
    assert task_mix.counted(sentinel.scrape(), "started") == started
    assert _missed(sentinel) == {one.hostname: 0 for one in fleet}


def test_what_was_taken_is_missed_to_the_event(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    start_fleet: StartFleet,
    make_producer: conftest.MakeProducer,
    robbed: Callable[[int], _Robbed],
) -> None:
    """Every seventh message that tells of a start disappears between broker and daemon."""
    way = robbed(redis_server.port)
    sentinel = watch(way.url, config=CONFIG)
    fleet = start_fleet(redis_server.url)
    sending = make_producer(redis_server.url)
    _warm_up(sentinel, fleet, sending)

    way.armed = True
    for number in range(TASKS):
        sending.send("quick", number)
        if number % 10 == 0:
            sending.send("silent")
    _wait_ended(fleet, sending)
    way.armed = False

    _wait_judged(sentinel, fleet, sending)
    want = Counter(one["hostname"] for one in way.stolen if one["type"] == "task-started")
    assert want.total() > TASKS // 30
    wanted = {one.hostname: want[one.hostname] for one in fleet}
    seen: dict[str, float] = {}

    def equal() -> bool:
        seen.update(_missed(sentinel))
        return seen == wanted

    with contextlib.suppress(TimeoutError):
        deadline.wait_until(equal, 120, "missed is what was taken")
    assert seen == wanted


def _warm_up(sentinel: daemon.Daemon, fleet: list[Any], sending: Any) -> None:
    """Give every worker something to do until its events are known to be on."""

    def enabled() -> bool:
        sending.send("quick")
        samples = sentinel.scrape()
        return all(
            daemon.total(samples, "celery_worker_events_enabled", hostname=one.hostname) == 1
            and daemon.total(samples, MISSED, hostname=one.hostname) is not None
            for one in fleet
        )

    deadline.wait_until(enabled, 120, "all workers are held to account")
    answered: set[float | None] = set()

    def asked_again() -> bool:
        answered.add(daemon.total(sentinel.scrape(), POLLED, poller="workers"))
        return len(answered) > 2

    deadline.wait_until(asked_again, 90, "what each has run by name is known from there on")


def _wait_ended(fleet: list[Any], sending: Any) -> None:
    def ended() -> int:
        return sum(
            outcomes["succeeded"] + outcomes["retried"]
            for outcomes in (one.truth.outcomes() for one in fleet)
        )

    expected = sending.sent.total() + sending.sent["retrying", "celery"]
    deadline.wait_until(lambda: ended() >= expected, 240, f"{expected} tasks ended")


def _wait_judged(sentinel: daemon.Daemon, fleet: list[Any], sending: Any) -> None:
    """Wait until each worker has had the heartbeats and the answers that a judgement takes."""
    seen: dict[str, set[float]] = {one.hostname: set() for one in fleet}

    def beaten() -> bool:
        sending.send("quick")
        samples = sentinel.scrape()
        for hostname, beats in seen.items():
            at = daemon.total(
                samples, "celery_worker_last_heartbeat_timestamp_seconds", hostname=hostname
            )
            beats.add(at or 0.0)
        return all(len(beats) > 10 for beats in seen.values())

    deadline.wait_until(beaten, 180, "each worker has beaten ten times")
    _wait_ended(fleet, sending)


def _missed(sentinel: daemon.Daemon) -> dict[str, float]:
    return {
        dict(labels)["hostname"]: value
        for (name, labels), value in sentinel.scrape().items()
        if name == MISSED
    }
