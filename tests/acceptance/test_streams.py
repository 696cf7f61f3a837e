"""A daemon whose stderr is closed, full or given up, and one that has no descriptors left."""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.servers import daemon, deadline, fetch, ports, process

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import redis

    Start = Callable[..., tuple[process.Process, str]]

SECONDS = 60.0
DROPPED = "celery_sentinel_log_lines_dropped_total"


@pytest.fixture
def start(new_directory: conftest.Directories, closing: contextlib.ExitStack) -> Start:
    """Start the daemon by way of a shell that redirects its streams; return it and its URL."""

    def run(broker_url: str, redirections: str, *args: str) -> tuple[process.Process, str]:
        directory = new_directory("streams")
        port = ports.free_port()
        settings = ["--broker-url", broker_url, "--web.listen-address", f"127.0.0.1:{port}", *args]
        script = Path(sys.executable).with_name("celery-sentinel")
        one = process.Process(
            ["sh", "-c", f'exec "$@" {redirections}', "sh", str(script), "run", *settings],
            env=os.environ,
            cwd=directory,
            log=directory / "log",
        )
        closing.callback(one.kill)
        url = f"http://127.0.0.1:{port}"
        deadline.wait_until(lambda: _answers(url), SECONDS, "it answers")
        return one, url

    return run


@pytest.mark.parametrize("redirections", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-", "<&-"])
def test_with_closed_streams_it_runs_and_stops_as_asked(
    redirections: str, redis_server: redis.RedisServer, start: Start
) -> None:
    """What it could not log is counted, and no socket takes the place of a stream."""
    running, url = start(redis_server.url, redirections)
    deadline.wait_until(lambda: _value(url, "celery_broker_up") == 1, SECONDS, "it is connected")

    kinds = [str(Path(f"/proc/{running.pid}/fd/{number}").readlink()) for number in range(3)]
    assert not [kind for kind in kinds if "socket" in kind or "eventpoll" in kind]
    dropped = _value(url, DROPPED)
    assert dropped is not None
    assert (dropped > 0) == ("2>" in redirections)
    assert running.terminate(SECONDS) == 0


def test_a_reader_of_the_log_that_stands_still_stops_nothing(
    redis_server: redis.RedisServer, start: Start, new_directory: conftest.Directories
) -> None:
    """With a full pipe it counts on, follows the broker, drops lines by count, and ends."""
    pipe = new_directory("pipe") / "stderr"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)  # never read from
    try:
        running, url = start(redis_server.url, f"2>{pipe}", "--log.level", "debug")
        with pipe.open("wb") as writer:
            os.set_blocking(writer.fileno(), False)
            _fill(writer.fileno())
            for _ in range(3):
                redis_server.kill()
                _wait(url, "celery_broker_up", 0)
                redis_server.start()
                _wait(url, "celery_broker_up", 1)
        assert running.terminate(SECONDS) == 0
    finally:
        os.close(reader)


def test_a_log_that_nobody_reads_any_more_is_counted(
    redis_server: redis.RedisServer, start: Start, new_directory: conftest.Directories
) -> None:
    """A pipe whose reader has gone costs lines, not the daemon."""
    pipe = new_directory("pipe") / "stderr"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    running, url = start(redis_server.url, f"2>{pipe}")
    os.close(reader)
    redis_server.kill()

    deadline.wait_until(lambda: (_value(url, DROPPED) or 0) > 0, SECONDS, "lines are counted")
    assert running.terminate(SECONDS) == 0


def test_without_descriptors_it_waits_and_comes_back(
    redis_server: redis.RedisServer, start_daemon: conftest.StartDaemon
) -> None:
    """No thread spins or dies while none can be opened; later all is as it was."""
    sentinel = start_daemon(redis_server.url)
    _wait(sentinel.url, "celery_broker_up", 1)
    pid = sentinel.process.pid
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    held = len(list(Path(f"/proc/{pid}/fd").iterdir()))

    resource.prlimit(pid, resource.RLIMIT_NOFILE, (held, limits[1]))
    redis_server.kill()
    before, begun = _processor_seconds(pid), time.monotonic()
    logged = len(sentinel.stderr_text)
    strangers = [_knock(sentinel.url) for _ in range(20)]
    deadline.wait_until(lambda: time.monotonic() - begun > 10, SECONDS, "time passes")
    used, took = _processor_seconds(pid) - before, time.monotonic() - begun
    for one in strangers:
        one.close()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    redis_server.start()

    _wait(sentinel.url, "celery_broker_up", 1)
    assert used < took / 2
    assert len(sentinel.stderr_text) - logged < 20_000
    assert "Traceback" not in sentinel.stderr_text
    sentinel.process.send(signal.SIGTERM)
    assert sentinel.wait(SECONDS) == 0


def _knock(url: str) -> socket.socket:
    host, _, port = url.rpartition("/")[2].partition(":")
    return socket.create_connection((host, int(port)), timeout=SECONDS)


def _fill(descriptor: int) -> None:
    """Write into a pipe until it takes no more."""
    for size in (65536, 1):
        try:
            while True:
                os.write(descriptor, b"x" * size)
        except BlockingIOError:
            continue


def _answers(url: str) -> bool:
    try:
        return fetch.get(f"{url}/-/healthy").status_code == 200
    except httpx.TransportError:
        return False


def _value(url: str, name: str) -> float | None:
    text = fetch.get(f"{url}/metrics", headers={"Accept": "text/plain"}).text
    return daemon.total(daemon.parse(text), name)


def _wait(url: str, name: str, value: float) -> None:
    deadline.wait_until(lambda: _value(url, name) == value, SECONDS, f"{name} is {value}")


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
