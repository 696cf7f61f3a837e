"""The installed daemon under a supervisor, which is told all that systemd wants to know."""

from __future__ import annotations

import os
import re
import signal
import time
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.servers import daemon, deadline, fetch, notify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests import conftest
    from tests.servers import redis

PERIOD = 1.5  # seconds: three looks of the daemon
WATCHDOG = {"WATCHDOG_USEC": str(int(PERIOD * 1e6))}


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[notify.Supervisor]:
    """Listen as a supervisor."""
    with notify.Supervisor(tmp_path) as listening:
        yield listening


def supervised(
    start_daemon: conftest.StartDaemon,
    broker_url: str,
    listener: notify.Supervisor,
    **options: object,
) -> daemon.Daemon:
    """Start a daemon that is told where ``listener`` is, and has to feed a watchdog."""
    variables = {"NOTIFY_SOCKET": listener.address, **WATCHDOG}
    return start_daemon(broker_url, environment=variables, **options)


def test_a_life(
    redis_server: redis.RedisServer, start_daemon: conftest.StartDaemon, listener: notify.Supervisor
) -> None:
    """READY once, RELOADING and READY at a reload of either kind, STOPPING; STATUS in words."""
    sentinel = supervised(start_daemon, redis_server.url, listener, args=["--web.enable-lifecycle"])
    listener.wait_for("READY")
    listener.wait_for("STATUS", "ready")
    assert sentinel.get("/-/ready").status_code == 200

    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    sentinel.process.send(signal.SIGHUP)
    reloading = listener.wait_for("RELOADING")
    listener.wait_for("READY", after=reloading)
    assert int(listener.read()[reloading]["MONOTONIC_USEC"]) >= before
    fetch.post(f"{sentinel.url}/-/reload").raise_for_status()

    assert sentinel.stop() == 0
    reloads = ["RELOADING", "READY"] * 2
    assert listener.keys() == ["READY", *reloads, "STOPPING"]
    assert listener.read()[-1] == {"STOPPING": "1", "STATUS": "stopping"}


def test_without_a_broker_it_is_up_and_says_what_is_missing(
    redis_server: redis.RedisServer, start_daemon: conftest.StartDaemon, listener: notify.Supervisor
) -> None:
    """A broker that is down is no failure to start; the state says what /-/ready says."""
    redis_server.stop()
    sentinel = supervised(start_daemon, redis_server.url, listener)
    listener.wait_for("READY")
    where = f"broker {redis_server.url}: 127.0.0.1"
    place = listener.wait_for("STATUS", f"not ready: {where}")
    told = listener.read()[place]["STATUS"]
    assert told.removeprefix("not ready: ") in sentinel.get("/-/ready").text

    redis_server.start()
    back = listener.wait_for("STATUS", "ready")
    (sentinel.directory / "config.yml").write_text("oops: {}\n")
    sentinel.process.send(signal.SIGHUP)
    listener.wait_for("STATUS", "ready (the last reload failed", after=back)
    assert listener.keys() == ["READY", "RELOADING", "READY"]


def test_the_watchdog_is_fed_while_the_broker_hangs(
    redis_server: redis.RedisServer, start_daemon: conftest.StartDaemon, listener: notify.Supervisor
) -> None:
    """A broker that answers nothing hangs no read: the loop turns, and food goes on coming."""
    supervised(start_daemon, redis_server.url, listener)
    fed = listener.wait_for("STATUS", "ready")
    redis_server.pause()
    for _ in range(6):
        fed = listener.wait_for("WATCHDOG", after=fed + 1)


def test_the_watchdog_goes_hungry_when_the_loop_hangs(
    tmp_path: Path, start_daemon: conftest.StartDaemon, listener: notify.Supervisor
) -> None:
    """A read that never ends is the end of the food, while the rest of the daemon lives on.

    The broker is a directory, and the message in it a pipe that nobody writes to: opening it
    blocks, and no time-out ends that.
    """
    folders = {name: tmp_path / name for name in ("in", "processed", "control")}
    for folder in folders.values():
        folder.mkdir()
    options = {
        "data_folder_in": str(folders["in"]),
        "data_folder_out": str(folders["in"]),
        "store_processed": True,
        "processed_folder": str(folders["processed"]),
        "control_folder": str(folders["control"]),
    }
    config = yaml.safe_dump({"broker": {"transport_options": options}, "events": {"enable": False}})
    sentinel = supervised(start_daemon, "filesystem://", listener, config=config)
    fed = listener.wait_for("STATUS", "ready")
    fed = listener.wait_for("WATCHDOG", after=fed)
    listener.wait_for("WATCHDOG", after=fed + 1)

    [queue] = [
        line[2]
        for file in folders["control"].glob("celeryev*.exchange")
        for line in yaml.safe_load(file.read_text())
    ]
    os.mkfifo(folders["in"] / f"0.{queue}.msg")
    deadline.wait_until(lambda: list(folders["processed"].iterdir()), 60, "it opens the pipe")

    def hungry() -> bool:
        listener.read()
        fed_at = max(at for at, fields in listener.messages if "WATCHDOG" in fields)
        return time.monotonic() - fed_at > 4 * PERIOD

    deadline.wait_until(hungry, 60, "no food comes for four periods")
    assert sentinel.get("/metrics").status_code == 200

    sentinel.process.send(signal.SIGABRT)  # as the watchdog of systemd does
    deadline.wait_until(lambda: not sentinel.running, 60, "it ends")
    last_words = sentinel.stderr_text.partition("Fatal Python error: Aborted")[2]
    assert re.search(r'filesystem\.py", line \d+ in _get', last_words), "where the loop stands"
