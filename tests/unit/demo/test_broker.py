"""The demo takes the best broker there is, or the one it is told to take."""

from __future__ import annotations

import os
import socket
import stat
from typing import TYPE_CHECKING

import pytest

from celery_sentinel import errors
from celery_sentinel.demo import broker

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Make a PATH on which there is a redis-server."""
    program = tmp_path / "redis-server"
    program.touch()
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(tmp_path)


def test_redis_server_is_preferred(path: str) -> None:
    """A redis-server on PATH is the broker, on loopback only and without files."""
    chosen = broker.choose({"PATH": path})

    assert chosen.what == f"redis-server ({path}/redis-server)"
    assert chosen.command[0] == f"{path}/redis-server"
    assert " ".join(chosen.command[1:]) == (
        f"--bind 127.0.0.1 --port {chosen.port} --save  --appendonly no --daemonize no"
    )


def test_without_redis_server_the_broker_is_embedded(tmp_path: Path) -> None:
    """Nothing on PATH leaves Redis in pure Python."""
    chosen = broker.choose({"PATH": str(tmp_path)})

    assert chosen.what == "Redis in pure Python, embedded (fakeredis)"
    assert chosen.command[1:] == ["-m", "celery_sentinel.demo.embedded", str(chosen.port)]


def test_embedded_can_be_forced(path: str) -> None:
    """The environment may prefer the embedded broker to a redis-server."""
    chosen = broker.choose({"PATH": path, broker.CHOICE: "embedded"})

    assert chosen.what == "Redis in pure Python, embedded (fakeredis)"


def test_a_forced_redis_server_must_be_there(tmp_path: Path) -> None:
    """No other broker stands in for the one that was asked for."""
    with pytest.raises(errors.SentinelError) as caught:
        broker.choose({"PATH": str(tmp_path), broker.CHOICE: "redis-server"})

    assert str(caught.value) == (
        "no redis-server on PATH: install it, or set CELERY_SENTINEL_DEMO_BROKER=embedded"
    )


def test_an_unknown_broker_is_refused() -> None:
    """The error says what was found and what is allowed."""
    with pytest.raises(errors.ConfigError) as caught:
        broker.choose({**os.environ, broker.CHOICE: "rabbit"})

    assert str(caught.value) == (
        "CELERY_SENTINEL_DEMO_BROKER='rabbit' names no broker of the demo: "
        "use redis-server or embedded, or leave it unset"
    )


def test_a_broker_answers_when_somebody_listens() -> None:
    """It answers from the moment its port is open."""
    with socket.create_server((broker.HOST, 0)) as server:
        open_broker = broker.Broker("any", [], server.getsockname()[1], pace=1.0)

        assert open_broker.answers()
        assert open_broker.url == f"redis://127.0.0.1:{open_broker.port}/0"

    assert open_broker.answers() is None
