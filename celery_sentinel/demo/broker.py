"""The broker of the demo: a redis-server when there is one, else Redis in pure Python."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import sys
from typing import TYPE_CHECKING, NamedTuple

from celery_sentinel import errors

if TYPE_CHECKING:
    from collections.abc import Mapping

HOST = "127.0.0.1"
CHOICE = "CELERY_SENTINEL_DEMO_BROKER"
REDIS_SERVER = "redis-server"
EMBEDDED = "embedded"


class Broker(NamedTuple):
    """A broker to start with ``command``; ``pace`` is the load it bears with ease, tasks/s."""

    what: str
    command: list[str]
    port: int
    pace: float

    @property
    def url(self) -> str:
        """The URL that Celery and the daemon take."""
        return f"redis://{HOST}:{self.port}/0"

    def answers(self) -> bool | None:
        """Tell whether it accepts connections by now; None for not yet."""
        with socket.socket() as client:
            client.settimeout(1)
            return client.connect_ex((HOST, self.port)) == 0 or None


def choose(environment: Mapping[str, str] = os.environ) -> Broker:
    """Return the broker that ``CELERY_SENTINEL_DEMO_BROKER`` names, else the best there is.

    Raises ``ConfigError`` for an unknown name and ``SentinelError`` when the broker is missing.
    """
    wish = environment.get(CHOICE, "")
    if wish not in ("", REDIS_SERVER, EMBEDDED):
        raise errors.ConfigError(
            f"{CHOICE}={wish!r} names no broker of the demo: use {REDIS_SERVER} or {EMBEDDED}, "
            "or leave it unset"
        )
    path = shutil.which(REDIS_SERVER, path=environment.get("PATH"))
    if wish != EMBEDDED and path:
        return _redis_server(path, _free_port())
    if wish == REDIS_SERVER:
        raise errors.SentinelError(
            f"no {REDIS_SERVER} on PATH: install it, or set {CHOICE}={EMBEDDED}"
        )
    return _embedded(_free_port())


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as server:
        port: int = server.getsockname()[1]
    return port


def _redis_server(path: str, port: int) -> Broker:
    network = ["--bind", HOST, "--port", str(port)]
    no_traces = ["--save", "", "--appendonly", "no"]
    command = [path, *network, *no_traces, "--daemonize", "no"]
    return Broker(f"redis-server ({path})", command, port, pace=8.0)


def _embedded(port: int) -> Broker:
    if importlib.util.find_spec("fakeredis") is None:
        raise errors.SentinelError(
            f"the demo needs a broker and found neither {REDIS_SERVER} on PATH nor fakeredis: "
            f"install {REDIS_SERVER}, or the demo's extra with pip install 'celery-sentinel[demo]'"
        )
    command = [sys.executable, "-m", "celery_sentinel.demo.embedded", str(port)]
    return Broker("Redis in pure Python, embedded (fakeredis)", command, port, pace=4.0)
