"""A broker that is down, dies, freezes or comes back leaves the daemon up and honest."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.integration import conftest as shared
from tests.servers import daemon, deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import redis, server

pytestmark = pytest.mark.timeout(500)  # restarts of RabbitMQ on a machine that does much else


def test_a_broker_that_is_down_at_the_start_is_waited_for(
    broker: server.Broker, start_daemon: conftest.StartDaemon
) -> None:
    """Without its broker the daemon serves metrics, says it is not ready, and then connects."""
    broker.stop()
    sentinel = start_daemon(broker.url)

    assert sentinel.get("/metrics").status_code == 200
    assert daemon.total(sentinel.scrape(), "celery_broker_up") == 0
    assert sentinel.get("/-/ready").status_code == 503
    assert sentinel.get("/-/healthy").status_code == 200

    broker.start()
    shared.wait_up(sentinel)
    assert sentinel.get("/-/ready").status_code == 200
    assert daemon.total(sentinel.scrape(), "celery_sentinel_stream_gaps_total") == 0


def test_a_broker_that_is_killed_is_a_counted_gap(
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
) -> None:
    """The break is counted once with its length; workers are unknown meanwhile, not lost."""
    sentinel = watch(broker.url)
    start_worker(broker.url)
    deadline.wait_until(
        lambda: daemon.total(sentinel.scrape(), "celery_worker_up") == 1, 60, "w1 is up"
    )

    stood_at = time.monotonic()
    broker.kill()
    killed_at = time.monotonic()
    shared.wait_up(sentinel, up=0)
    assert sentinel.get("/-/ready").status_code == 503
    deadline.wait_until(
        lambda: daemon.total(sentinel.scrape(), "celery_worker_up") is None,
        60,
        "whether w1 is up is unknown",
    )
    started_at = time.monotonic()
    broker.start()
    shared.wait_up(sentinel)
    back_at = time.monotonic()

    samples = sentinel.scrape()
    gap = daemon.total(samples, "celery_sentinel_stream_gap_seconds_total")
    assert daemon.total(samples, "celery_sentinel_stream_gaps_total") == 1
    assert gap is not None
    # It connects while we still wait for the broker to say that it has started.
    assert started_at - killed_at - 1 < gap < back_at - stood_at + 30
    deadline.wait_until(
        lambda: daemon.total(sentinel.scrape(), "celery_worker_up") == 1, 120, "w1 is up again"
    )
    assert daemon.total(sentinel.scrape(), "celery_worker_lost_total") == 0


def test_a_frozen_broker_is_noticed(
    broker: server.Broker, watch: Callable[..., daemon.Daemon]
) -> None:
    """A broker that keeps its connections but answers nothing is a gap of the watchdog's."""
    sentinel = watch(broker.url)

    broker.pause()
    shared.wait_up(sentinel, up=0, seconds=90)
    broker.resume()
    shared.wait_up(sentinel)

    samples = sentinel.scrape()
    gaps = daemon.total(samples, "celery_sentinel_stream_gaps_total", reason="watchdog")
    assert gaps == 1


def test_events_after_a_reconnect_are_counted(
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Three restarts of the broker later, what happens then is counted to the task."""
    sentinel = watch(broker.url)
    for restarts in range(1, 4):
        before = _gaps(sentinel)
        broker.restart()
        deadline.wait_until(
            lambda least=before: _gaps(sentinel) > least, 60, f"the gap of restart {restarts}"
        )
        shared.wait_up(sentinel)
    start_worker(broker.url)
    sending = make_producer(broker.url)

    for _ in range(20):
        sending.send("quick")

    deadline.wait_until(
        lambda: daemon.total(sentinel.scrape(), "celery_task_succeeded_total") == 20,
        60,
        "all are counted",
    )


def test_a_daemon_that_was_frozen_accuses_nobody(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Fifteen seconds in which we did not run are not the workers' silence, and lose nothing."""
    sentinel = watch(redis_server.url)
    start_worker(redis_server.url)
    sending = make_producer(redis_server.url)
    deadline.wait_until(
        lambda: daemon.total(sentinel.scrape(), "celery_worker_up") == 1, 60, "w1 is up"
    )

    sentinel.pause()
    frozen_at = time.monotonic()
    sent = 0
    while time.monotonic() - frozen_at < 15:
        sending.send("quick")
        sent += 1
        time.sleep(0.05)  # the pace of the load, which the worker can follow
    sentinel.resume()

    deadline.wait_until(
        lambda: daemon.total(sentinel.scrape(), "celery_task_succeeded_total") == sent,
        60,
        "what happened meanwhile is counted",
    )
    assert daemon.total(sentinel.scrape(), "celery_worker_lost_total") == 0
    assert daemon.total(sentinel.scrape(), "celery_worker_up") == 1


def test_no_password_is_shown_anywhere(
    start_redis: conftest.StartRedis, start_daemon: conftest.StartDaemon
) -> None:
    """Neither pages nor logs nor metrics hold the broker's password, up or down, right or wrong."""
    password = "s3cret/with:odd@signs%"  # noqa: S105 - a test's own
    locked = start_redis(password=password)
    sentinel = start_daemon(locked.url)
    shared.wait_up(sentinel)
    wrong = start_daemon(locked.url.replace("s3cret", "wr0ngsecret"))
    deadline.wait_until(lambda: "broker_unreachable" in wrong.stderr_text, 60, "it is refused")
    locked.kill()
    shared.wait_up(sentinel, up=0)

    for one in (sentinel, wrong):
        shown = [one.get(path).text for path in ("/", "/metrics", "/api/v1/status", "/-/ready")]
        shown.append(one.stderr_text)
        for text in shown:
            assert "s3cret" not in text
            assert "wr0ngsecret" not in text
            assert "odd@signs" not in text
            assert "odd%40signs" not in text


def _gaps(sentinel: daemon.Daemon) -> float:
    return daemon.total(sentinel.scrape(), "celery_sentinel_stream_gaps_total") or 0
