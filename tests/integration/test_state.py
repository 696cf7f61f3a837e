"""With a state file a restart of the daemon costs what happened meanwhile, and nothing else."""

from __future__ import annotations

import resource
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests import conftest as fixtures
from tests.integration import conftest as shared
from tests.servers import daemon, deadline

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable

    from tests.servers import redis, server

OFTEN = fixtures.IMMEDIATE + "state: {interval: 1s}\n"
SELDOM = fixtures.IMMEDIATE + "state: {interval: 1h}\n"
SAVED_AT = "celery_sentinel_state_snapshot_timestamp_seconds"

pytestmark = pytest.mark.timeout(400)


def test_a_running_task_outlives_both_ends_of_the_daemon(
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    start_worker: fixtures.StartWorker,
    make_producer: fixtures.MakeProducer,
    tmp_path: pathlib.Path,
) -> None:
    """Over a SIGTERM and a SIGKILL a task keeps its name, queue and start; counters go on."""
    sentinel = watch(broker.url, config=OFTEN, args=["--state.file", str(tmp_path / "state")])
    working = start_worker(broker.url, config={"task_send_sent_event": True})
    producer = make_producer(broker.url)
    for _ in range(5):
        producer.send("quick")
    began = time.time()
    producer.send("failing_late", 15.0)
    wait_for(sentinel, "celery_task_started_total", 1, name="failing_late")
    wait_for(sentinel, "celery_task_succeeded_total", 5, name="quick")

    working.pause()  # on a busy machine the task could end while the daemon is away
    assert sentinel.stop() == 0
    shared.wait_up(sentinel.start())
    samples = sentinel.scrape()
    assert daemon.total(samples, "celery_sentinel_state_restored") == 1
    assert daemon.total(samples, "celery_task_succeeded_total", name="quick") == 5
    assert daemon.total(samples, "celery_tasks_in_flight", name="failing_late") == 1

    wait_saved(sentinel, after=time.time())
    sentinel.kill()
    shared.wait_up(sentinel.start())
    working.resume()
    producer.send("quick")
    wait_for(sentinel, "celery_task_succeeded_total", 6, name="quick")
    wait_for(sentinel, "celery_task_failed_total", 1, name="failing_late", queue_name="celery")
    wait_for(sentinel, "celery_worker_tasks_processed_total", 7)

    samples = sentinel.scrape()
    took = daemon.total(samples, "celery_task_runtime_seconds_sum", name="failing_late")
    assert took is not None
    assert 15 <= took <= time.time() - began + 1
    assert daemon.total(samples, "celery_tasks_in_flight", name="failing_late") == 0
    assert daemon.total(samples, "celery_sentinel_orphan_events_total") in {None, 0}
    assert daemon.total(samples, "celery_task_lost_total") in {None, 0}
    assert daemon.total(samples, "celery_worker_restarts_total") == 0
    assert daemon.total(samples, "celery_sentinel_stream_gaps_total", reason="restart") == 2
    gap = daemon.total(samples, "celery_sentinel_stream_gap_seconds_total")
    assert gap is not None
    assert 0 < gap < time.time() - began


def test_a_worker_killed_while_the_daemon_was_away_is_lost(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    start_worker: fixtures.StartWorker,
    make_producer: fixtures.MakeProducer,
    tmp_path: pathlib.Path,
) -> None:
    """It is unknown first and 0 when it had time to return; what it ran is lost soon after."""
    sentinel = watch(redis_server.url, args=["--state.file", str(tmp_path / "state")])
    dying = start_worker(redis_server.url, name="w1", queues=["one"])
    start_worker(redis_server.url, name="w2")
    make_producer(redis_server.url).send("slow", 600.0, queue="one")
    wait_for(sentinel, "celery_task_started_total", 1)
    wait_for(sentinel, "celery_worker_up", 2)

    sentinel.stop()
    dying.kill()
    shared.wait_up(sentinel.start())
    wait_for(sentinel, "celery_worker_up", 1, hostname="w2@fleet")
    assert daemon.total(sentinel.scrape(), "celery_worker_up", hostname="w1@fleet") is None

    wait_for(sentinel, "celery_worker_up", 0, seconds=150, hostname="w1@fleet")
    samples = sentinel.scrape()
    assert daemon.total(samples, "celery_worker_up", hostname="w2@fleet") == 1
    assert daemon.total(samples, "celery_worker_lost_total") == 1
    wait_for(sentinel, "celery_task_lost_total", 1, name="slow")

    sentinel.restart()
    shared.wait_up(sentinel)
    assert daemon.total(sentinel.scrape(), "celery_worker_up", hostname="w1@fleet") == 0


def test_no_counter_falls_behind_what_was_shown(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    start_worker: fixtures.StartWorker,
    make_producer: fixtures.MakeProducer,
    tmp_path: pathlib.Path,
) -> None:
    """After a kill the snapshot is older than the last scrape: for Prometheus nothing is reset."""
    sentinel = watch(
        redis_server.url, config=SELDOM, args=["--state.file", str(tmp_path / "state")]
    )
    wait_saved(sentinel, after=0)
    start_worker(redis_server.url)
    producer = make_producer(redis_server.url, sent_events=False)
    # Once the worker has told its only queue, all of its tasks are of that.
    wait_for(sentinel, "celery_queue_worker_slots", 2, queue_name="celery")
    for _ in range(4):
        producer.send("quick")
    wait_for(sentinel, "celery_task_succeeded_total", 4, name="quick")
    before = sentinel.scrape()
    created = created_of(sentinel, "celery_task_succeeded_created")

    sentinel.kill()
    sentinel.start()
    wait_for(sentinel, "celery_queue_worker_slots", 2, queue_name="celery")
    for _ in range(5):
        producer.send("quick")
    # The snapshot knew of none of the four, so the fifth is the first that counts anew.
    wait_for(sentinel, "celery_task_succeeded_total", 5, name="quick")
    assert falls(before, sentinel.scrape()) == {}
    assert created_of(sentinel, "celery_task_succeeded_created") == created
    assert daemon.total(sentinel.scrape(), "celery_task_runtime_seconds_count", name="quick") == 5


def test_a_directory_that_is_missing_costs_nothing_but_the_file(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    tmp_path: pathlib.Path,
) -> None:
    """The daemon says so once and counts each failure; when the directory is there it saves."""
    file = tmp_path / "missing" / "state"
    sentinel = watch(redis_server.url, config=OFTEN, args=["--state.file", str(file)])
    deadline.wait_until(lambda: failures(sentinel) >= 4, 60, "some snapshots have failed")
    samples = sentinel.scrape()
    assert daemon.total(samples, "celery_sentinel_state_restored") == 0
    assert daemon.total(samples, SAVED_AT) is None
    told = sentinel.get("/api/v1/status").json()["state"]
    assert "No such file or directory" in told["last_error"]
    assert "not saved" in sentinel.get("/").text

    file.parent.mkdir()
    wait_saved(sentinel, after=0)
    deadline.wait_until(lambda: "state_saved_again" in sentinel.stderr_text, 60, "it is told")
    assert sentinel.get("/api/v1/status").json()["state"]["last_error"] is None
    logged = sentinel.stderr_text
    assert logged.count("what=snapshot") == 2, "one line for each change"
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_disk_without_space_costs_no_earlier_snapshot(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    tmp_path: pathlib.Path,
) -> None:
    """A snapshot that cannot be written whole is counted and told; the one before stays as it is.

    A limit on the size of files stands for the full disk: the same write fails.
    """
    file = tmp_path / "state"
    sentinel = watch(redis_server.url, config=OFTEN, args=["--state.file", str(file)])
    wait_saved(sentinel, after=0)
    pid = sentinel.process.pid
    limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)

    resource.prlimit(pid, resource.RLIMIT_FSIZE, (16, limits[1]))
    before = failures(sentinel)

    def late() -> bool:
        told = sentinel.get("/api/v1/status").json()["state"]
        return told["snapshot_age_seconds"] > 3 and "File too large" in told["last_error"]

    deadline.wait_until(late, 60, "snapshots have failed")
    assert failures(sentinel) >= before + 2
    assert len(file.read_bytes()) > 16
    assert not [path for path in tmp_path.iterdir() if "new-" in path.name]
    resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
    deadline.wait_until(lambda: "state_saved_again" in sentinel.stderr_text, 60, "it is told")


def test_a_broken_file_is_set_aside(
    redis_server: redis.RedisServer,
    watch: Callable[..., daemon.Daemon],
    tmp_path: pathlib.Path,
) -> None:
    """Garbage is kept under another name, counted and told; the daemon starts without it."""
    file = tmp_path / "state"
    file.write_bytes(b"garbage" * 1000)
    sentinel = watch(redis_server.url, args=["--state.file", str(file)])
    wait_saved(sentinel, after=0)
    assert daemon.total(sentinel.scrape(), "celery_sentinel_state_restored") == 0
    assert failures(sentinel) == 1
    assert "state_not_restored" in sentinel.stderr_text
    assert "no state file" in sentinel.get("/api/v1/status").json()["state"]["why_not"]
    (aside,) = tmp_path.glob("state.broken-*")
    assert aside.read_bytes() == b"garbage" * 1000
    sentinel.restart()
    assert daemon.total(sentinel.scrape(), "celery_sentinel_state_restored") == 1


def test_without_a_state_file_there_is_no_word_of_it(
    redis_server: redis.RedisServer, watch: Callable[..., daemon.Daemon]
) -> None:
    """No metric, no failure, nothing on the page."""
    sentinel = watch(redis_server.url)
    assert "celery_sentinel_state_" not in sentinel.get("/metrics").text
    assert 'part="state"' not in sentinel.get("/metrics").text
    assert sentinel.get("/api/v1/status").json()["state"] is None
    assert "State file" not in sentinel.get("/").text


def wait_for(
    sentinel: daemon.Daemon, metric: str, value: float, /, *, seconds: float = 90, **labels: str
) -> None:
    """Wait until a metric has the value."""
    deadline.wait_until(
        lambda: daemon.total(sentinel.scrape(), metric, **labels) == value,
        seconds,
        f"{metric} {labels} is {value}",
    )


def wait_saved(sentinel: daemon.Daemon, *, after: float) -> None:
    """Wait for a snapshot that was begun after a moment (epoch seconds)."""
    deadline.wait_until(
        lambda: (daemon.total(sentinel.scrape(), SAVED_AT) or 0.0) > after, 60, "a snapshot"
    )


def failures(sentinel: daemon.Daemon) -> float:
    """Return how often the state file has failed."""
    name = "celery_sentinel_caught_failures_total"
    return daemon.total(sentinel.scrape(), name, part="state") or 0.0


def created_of(sentinel: daemon.Daemon, name: str) -> list[str]:
    """Return the created samples of a counter, as OpenMetrics has them."""
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    lines = sentinel.get("/metrics", headers=accept).text.splitlines()
    return [line for line in lines if line.startswith(name)]


def falls(before: daemon.Samples, after: daemon.Samples) -> dict[Any, tuple[float, float | None]]:
    """Return what of our counters shows less than before."""
    return {
        key: (value, after.get(key))
        for key, value in before.items()
        if key[0].endswith(("_total", "_bucket", "_count"))
        and not key[0].startswith(("process_", "python_"))
        and after.get(key, value) < value
    }
