"""The contestants: each is a process that listens to one broker and can say what it counted."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import httpx
from prometheus_client import parser

from benchmarks import environments, floors
from tests.servers import daemon, ports, process, server

if TYPE_CHECKING:
    from collections.abc import Sequence

_PROJECT = Path(__file__).parents[1]
_SCRAPE_SECONDS = 60.0
_CONFIG = "metrics: {zero_born_hold: 0s}\n"
_EXPORTER = "from src.cli import cli; cli()"


class Contestant(Protocol):
    """What a measurement needs of a contestant, once it has been started.

    One that is not ``judged`` by what it counts is spared Redis' limit for slow subscribers; a
    ``foreign`` one needs what the tests do not install.
    """

    label: str
    judged: bool
    foreign: bool

    def __init__(self, directory: Path, broker_url: str) -> None:
        """Take a directory of its own."""

    def start(self) -> object:
        """Start it."""

    @property
    def pid(self) -> int:
        """Its process."""

    @property
    def running(self) -> bool:
        """Whether it lives."""

    def counted(self) -> int:
        """Return how many task events it has counted, by its own word."""

    def log_tail(self, lines: int = 40) -> str:
        """Return the end of its log."""

    def close(self) -> None:
        """End it."""


class Sentinel(daemon.Daemon):
    """The daemon in its default configuration, but for the hold of new counters."""

    label = "celery-sentinel"
    judged = True
    foreign = False

    def __init__(self, directory: Path, broker_url: str) -> None:
        config = directory / "config.yml"
        config.write_text(_CONFIG)
        super().__init__(directory, broker_url, args=["--config.file", str(config)])

    def counted(self) -> int:
        """Read it from /metrics."""
        text = self.get("/metrics", headers={"Accept": "text/plain"}).text
        return _sum(text, "celery_sentinel_events_total", type_prefix="task-")

    def close(self) -> None:
        """End it."""
        self.kill()


class _Foreign(server.Server):
    """A command that is ready when its port takes connections, or from the start without one."""

    label = ""
    judged = True
    foreign = True

    def __init__(self, directory: Path, broker_url: str) -> None:
        super().__init__(directory, type(self).__name__.lower())
        self.broker_url = broker_url
        self.port = ports.free_port()

    def _command(self) -> Sequence[str]:
        raise NotImplementedError

    def _launch(self) -> process.Process:
        return process.Process(
            self._command(),
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            cwd=self.directory,
            log=self.log,
        )

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def _metrics(self) -> str:
        url = f"http://127.0.0.1:{self.port}/metrics"
        return httpx.get(url, timeout=_SCRAPE_SECONDS, trust_env=False).text

    def close(self) -> None:
        """End it."""
        if self.running:
            self.kill()


class Exporter(_Foreign):
    """celery-exporter, released as prometheus-exporter-celery."""

    label = "celery-exporter"
    _COUNTERS = tuple(
        f"celery_task_{kind}_total"
        for kind in (
            *("sent", "received", "started", "succeeded"),
            *("failed", "retried", "revoked", "rejected"),
        )
    )

    def _command(self) -> Sequence[str]:
        address = [f"--broker-url={self.broker_url}", "--host=127.0.0.1", f"--port={self.port}"]
        return [environments.python("exporter"), "-c", _EXPORTER, *address]

    def counted(self) -> int:
        """Add up its counters of task events."""
        text = self._metrics()
        return sum(_sum(text, name) for name in self._COUNTERS)


class Flower(_Foreign):
    """Flower, whose /metrics count each event."""

    label = "Flower"

    def _command(self) -> Sequence[str]:
        flower = [environments.python("flower"), "-m", "celery", f"--broker={self.broker_url}"]
        return [*flower, "flower", "--address=127.0.0.1", f"--port={self.port}"]

    def counted(self) -> int:
        """Read its counter of events."""
        return _sum(self._metrics(), "flower_events_total", type_prefix="task-")


class _Floor(_Foreign):
    kind = ""
    judged = False
    foreign = False

    @property
    def _count_file(self) -> Path:
        return self.directory / "count"

    def _command(self) -> Sequence[str]:
        module = [sys.executable, "-m", floors.__name__]
        return [*module, self.kind, self.broker_url, str(self._count_file)]

    def _launch(self) -> process.Process:
        return process.Process(
            self._command(),
            env={**os.environ, "PYTHONPATH": str(_PROJECT)},
            cwd=self.directory,
            log=self.log,
        )

    def _answers(self) -> bool:
        return self._count_file.exists()

    def counted(self) -> int:
        """Return all events it has seen, those of workers included."""
        (seen,) = floors.COUNT.unpack(self._count_file.read_bytes())
        return int(seen)


class ReceiverState(_Floor):
    """celery.events.EventReceiver with State."""

    judged = True
    label = "EventReceiver + State"
    kind = "receiver-state"


class RedisOrjson(_Floor):
    """Decoding alone, with redis-py."""

    label = "redis-py + orjson, decode only"
    foreign = True
    kind = "redis-orjson"


class RedisFloor(_Floor):
    """Decoding alone, in the plainest loop: the floor on Redis."""

    label = "hiredis + msgspec, decode only: the floor"
    kind = "redis-msgspec"


class RedisAsWeRead(_Floor):
    """Decoding alone, read as the daemon reads."""

    label = "the same, read as we read"
    kind = "redis-portions"


class AmqpMsgspec(_Floor):
    """Decoding alone, with py-amqp."""

    label = "py-amqp + msgspec, decode only"
    kind = "amqp-msgspec"


class AmqpFloor(_Floor):
    """Decoding alone: the floor on RabbitMQ."""

    label = "own frames + msgspec, decode only: the floor"
    kind = "amqp-frames"


def _sum(text: str, name: str, *, type_prefix: str = "") -> int:
    total = 0.0
    for family in parser.text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and sample.labels.get("type", "").startswith(type_prefix):
                total += sample.value
    return int(total)
