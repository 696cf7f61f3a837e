"""A fleet to which everything has happened that can show in a metric."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

from celery_sentinel import poll_results
from celery_sentinel.config import schema, thresholds
from celery_sentinel.fleet import result_backend_health
from celery_sentinel.metrics import catalogue, samples
from celery_sentinel.metrics.collectors import objectives, queues, sentinel, tasks, workers
from celery_sentinel.state import manager
from tests.unit.fleet.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

# What the daemon itself adds to what the collectors say.
DAEMONS = {
    "BUILD_INFO": ("0.1.0", "3.11.2", "5.5.0", "5.5.0"),
    "SERIES": (),
    "LOG_LINES_DROPPED": (),
    "RENDER_DURATION": (),
    "RELOAD_SUCCESSFUL": (),
    "RELOAD_TIMESTAMP": (),
}
# What the web server says of itself.
SERVERS = {
    "WEB_CONNECTIONS_DROPPED": ("late_request",),
    "WEB_REQUESTS_REFUSED": ("unauthorized",),
    "WEB_CONFIG_SUCCESSFUL": (),
    "WEB_CONFIG_TIMESTAMP": (),
    "WEB_CERTIFICATE_EXPIRY": (),
}

# No broker tells all of it.
CONDITION = poll_results.BrokerCondition(
    product="redis",
    version="7.0.15",
    role="master",
    mode="standalone",
    eviction_policy="noeviction",
    memory_used=2**20,
    memory_max=2**30,
    evicted_keys=0,
    clients=5,
    clients_max=10_000,
    writable=True,
    alarms={"memory": False},
)

# What the defaults leave out.
OBJECTIVES = schema.Objectives(
    tasks=(schema.TaskObjectives(match="nightly", silence_seconds=thresholds.Duration("25h")),),
    queues=(schema.QueueObjectives(match="idle", workers=thresholds.Workers(1)),),
)


def stage() -> Stage:
    """Return a fleet in which every metric has a child."""
    play = Stage(
        schema.Config(queues=schema.Queues(watch=("idle",)), objectives=OBJECTIVES),
    )
    play.stream.visibility_timeout = 3600.0
    play.online(loadavg=[0.5, 1.0, 1.5], sw_ver="5.5.0", sw_sys="Linux")
    for n, how in enumerate(
        ("succeeded", "failed", "retried", "rejected", "revoked", "cancelled", "progress")
    ):
        uuid = str(n)
        play.sent(uuid, at=n)
        play.received(uuid, at=n + 0.1)
        play.started(uuid, at=n + 0.2)
        play.ended(how, uuid, at=n + 3, runtime=2.5, exception="ValueError('no')", requeue=False)
    play.received("0", at=20)
    play.ended(uuid="never heard of")
    play.jump(2)
    play.beat(active=1, processed=7)
    _lose_a_worker(play)
    _poll(play)
    play.beat(active=1, processed=7, clock=9)
    play.stream.connected(play.now, play.wall)
    play.stream.rejected["malformed"] += 1
    play.stream.salvaged["damaged_batch"] += 1
    play.stream.failures["fleet"] += 1
    return play


def _lose_a_worker(play: Stage) -> None:
    play.beat("w2@host", active=1)
    play.received("lost", hostname="w2@host")
    play.started("lost", hostname="w2@host")
    for _ in range(6):
        play.pass_time(2)
        play.beat(active=1, processed=7)
    play.gone("w2@host")
    play.tick()


def _poll(play: Stage) -> None:
    """Let one poll of each kind be answered, with every figure there is."""
    play.answer(
        pool="prefork", concurrency=2, pool_size=2, prefetch_count=8,
        max_rss_bytes=2**26, queues=("idle",), reserved=1, scheduled=1,
    )  # fmt: skip
    waiting = poll_results.QueueReading(
        length=3,
        by_priority={"0": 1, "9": 2},
        unacked=1,
        consumers=1,
        tails=(poll_results.Tail(task_id="waits"),),
        foreign="a string",
    )
    play.read(
        {"idle": waiting},
        unacked=2,
        oldest_unacked_at=play.wall - 60,
        delayed=4,
        condition=CONDITION,
    )
    play.fleet.note_poll("queues", duration=0.01, wall=play.wall)
    play.tick()


def families(play: Stage) -> Iterator[samples.Family]:
    """Yield what a scrape of that fleet would show, the daemon's own metrics included."""
    yield from tasks.collect(play.fleet, compat=True)
    yield from workers.collect(play.fleet)
    results = result_backend_health.Backend("redis")
    results.note(0.001)
    yield from queues.collect(play.fleet, play.stream, results, compat=True)
    yield from objectives.collect(play.fleet)
    yield from sentinel.collect(play.fleet, play.stream)
    yield from _state_file(play)
    for name, labels in (DAEMONS | SERVERS).items():
        yield samples.family(getattr(catalogue, name), [(labels, 1)])


def _state_file(play: Stage) -> Iterator[samples.Family]:
    with tempfile.TemporaryDirectory() as directory:
        kept = manager.StateManager(
            schema.Config(), file=f"{directory}/state", fleet=play.fleet, connection=play.stream
        )
        kept.finish(exact=True)
        yield from kept.families()
