"""A real daemon with a large exposition, under attack over HTTP while events go on arriving."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any, Self
from urllib import parse

import httpx

from tests.integration import hostile
from tests.integration.test_memory_bound import peak
from tests.servers import daemon, deadline, fetch, flood

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from tests.servers import redis

SAMPLES = 100_000  # in the exposition, at least
_NAMES, _EACH = 1_900, 475
_PULSE = 0.1  # seconds between two heartbeats
_TOLD = ("celery_sentinel_", "celery_worker_lost_total")
DROPPED = "celery_sentinel_web_connections_dropped_total"
REFUSED = "celery_sentinel_web_requests_refused_total"


class Siege:
    """What a daemon goes through between two moments; a context manager.

    Heartbeats are published all the while: none may be lost, for whatever clients do to the web
    server is no concern of the receiver. ``users`` are credentials for our own scrapes.
    """

    def __init__(
        self,
        sentinel: daemon.Daemon,
        broker: redis.RedisServer,
        auth: tuple[str, str] | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self.sentinel = sentinel
        self._broker = broker
        self._options: dict[str, Any] = {"auth": auth} | ({"verify": trust} if trust else {})
        self._published = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._before: daemon.Samples = {}
        self._logged = 0

    def __enter__(self) -> Self:
        self._before = self.scrape()
        self._logged = len(self.sentinel.stderr_text)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def log(self) -> str:
        """What the daemon has logged since the beginning."""
        return self.sentinel.stderr_text[self._logged :]

    def use(self, auth: tuple[str, str]) -> None:
        """Scrape with these credentials, once they are in force."""
        self._options["auth"] = auth
        url = f"{self.sentinel.url}/-/ready"

        def known() -> bool:
            return fetch.get(url, **self._options).status_code == httpx.codes.OK

        deadline.wait_until(known, 60, "the new password is in force")

    def scrape(self) -> daemon.Samples:
        """Return the daemon's own samples; to parse the others takes seconds."""
        headers = {"Accept": "text/plain; version=0.0.4"}
        answer = fetch.get(f"{self.sentinel.url}/metrics", headers=headers, **self._options)
        answer.raise_for_status()
        lines = (line for line in answer.text.splitlines() if line.startswith(_TOLD))
        return daemon.parse("\n".join(lines) + "\n")

    def counted(self, metric: str, reason: str) -> float:
        """Return by how much a counter has risen since the beginning."""
        return self._risen(metric, reason=reason)

    def until(self, metric: str, reasons: str, least: float) -> None:
        """Wait until so many were counted, for any of the reasons (separated by blanks)."""
        deadline.wait_until(
            lambda: sum(self.counted(metric, one) for one in reasons.split()) >= least,
            120,
            f"{least} counted as {reasons}",
        )

    def judge(self, *, lines: int = 3, memory: int = 450 * 2**20) -> None:
        """Assert that events went on, the log is short and memory is bounded (in bytes)."""
        self._over.set()
        self._thread.join()
        deadline.wait_until(
            lambda: (
                self._risen("celery_sentinel_events_total", type="worker-heartbeat")
                >= self._published
            ),
            60,
            f"all {self._published} heartbeats are counted",
        )
        assert self._risen("celery_sentinel_stream_gaps_total") == 0
        assert self._risen("celery_worker_lost_total") == 0
        assert "Traceback" not in self.log
        assert self.log.count("\n") <= lines, self.log[:3000]
        assert peak(self.sentinel.process.pid) < memory
        healthy = fetch.get(f"{self.sentinel.url}/-/healthy", **self._options)
        assert healthy.status_code == httpx.codes.OK

    def _risen(self, metric: str, **labels: str) -> float:
        now = daemon.total(self.scrape(), metric, **labels) or 0
        return now - (daemon.total(self._before, metric, **labels) or 0)

    def _beat(self) -> None:
        with flood.Flood(self._broker.url) as publishing:
            while not self._over.wait(_PULSE):
                publishing.publish([flood.heartbeat()])
                self._published += 1


def fill(sentinel: daemon.Daemon, broker: redis.RedisServer, **options: Any) -> None:
    """Make the exposition of a daemon as large as that of a large fleet."""
    with contextlib.closing(hostile.Publisher(broker)) as publisher:
        for start in range(0, _NAMES, _EACH):
            found = []
            for number in range(start, start + _EACH):
                task = {"uuid": f"{number}", "name": f"shop.orders.step_{number}"}
                for kind in ("task-sent", "task-received", "task-started", "task-succeeded"):
                    fields = {"queue": "shop"} if kind == "task-sent" else {"runtime": 0.2}
                    found.append(hostile.event(kind, **task, **fields))
            publisher.publish(hostile.batch(*found))
    url = f"{sentinel.url}/metrics"

    def large() -> bool:
        return fetch.get(url, **options).text.count("\n") > SAMPLES

    deadline.wait_until(large, 60, f"{SAMPLES} samples")


def connect(url: str, *, receive_buffer: int | None = None, source: str = "") -> socket.socket:
    """Open a connection to the server."""
    where = parse.urlsplit(url)
    plug = socket.socket()
    plug.settimeout(60)
    if receive_buffer is not None:
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    if source:
        plug.bind((source, 0))
    plug.connect((where.hostname, where.port))
    return plug


def reset(plug: socket.socket) -> None:
    """Close a connection with RST instead of FIN."""
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    plug.close()


@contextlib.contextmanager
def crowd() -> Iterator[list[socket.socket]]:
    """Hold many connections, and let go of all at the end."""
    held: list[socket.socket] = []
    try:
        yield held
    finally:
        for plug in held:
            plug.close()
