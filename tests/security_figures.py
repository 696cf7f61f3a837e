"""Writes docs/security-tests.md: what attacks on the HTTP server cost a scrape and the daemon.

Usage: ``python -m tests.security_figures``, as ``make security-figures`` does. It takes about a
minute, on loopback only. The figures are those of the machine it runs on.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import os
import pathlib
import platform
import socket
import ssl
import statistics
import sys
import tempfile
import threading
import time
from typing import TYPE_CHECKING
from urllib import parse

import bcrypt
import httpx
import yaml

from celery_sentinel import __version__
from tests.servers import certificates, daemon, fetch, redis

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 4.0
PASSWORD = "right"  # noqa: S105 - of this run alone
USER = ("prometheus", PASSWORD)
TICKS = os.sysconf("SC_CLK_TCK")
GET = b"GET /metrics HTTP/1.1\r\nHost: a\r\n"
TEMPLATE = pathlib.Path(__file__).with_suffix(".md")
PAGE = pathlib.Path(__file__).parents[1] / "docs" / "security-tests.md"


class Target:
    """The daemon under attack, seen from a client."""

    def __init__(self, url: str, context: ssl.SSLContext) -> None:
        where = parse.urlsplit(url)
        self.address = (where.hostname or "", where.port or 0)
        self.context = context
        self.over = threading.Event()
        self.attempts = 0

    def connect(self, *, tls: bool = True) -> socket.socket:
        """Open one connection."""
        raw = socket.create_connection(self.address, timeout=10, source_address=("127.0.0.2", 0))
        self.attempts += 1
        return self.context.wrap_socket(raw, server_hostname="127.0.0.1") if tls else raw


def nothing(target: Target) -> None:
    """Nothing at all."""
    target.over.wait()


def hold(prepare: Callable[[Target], socket.socket], count: int) -> Callable[[Target], None]:
    """Return an attack that keeps ``count`` connections open, anew when they are closed."""

    def attack(target: Target) -> None:
        held: list[socket.socket] = []
        while not target.over.is_set():
            with contextlib.suppress(OSError):
                held.append(prepare(target))
            if len(held) > count:
                held.pop(0).close()
            if len(held) >= count:
                target.over.wait(0.005)
        for each in held:
            each.close()

    return attack


def silent(target: Target) -> socket.socket:
    """Connect and say nothing."""
    return target.connect(tls=False)


def half_handshake(target: Target) -> socket.socket:
    """Begin a handshake."""
    client = target.connect(tls=False)
    client.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100))
    return client


def slow_headers(target: Target) -> socket.socket:
    """Finish the handshake, and begin a request."""
    client = target.connect()
    client.sendall(GET + b"X: ")
    return client


def slow_reader(target: Target) -> socket.socket:
    """Ask for pages over and over, and read none."""
    client = target.connect()
    token = base64.b64encode(":".join(USER).encode())
    client.sendall((GET + b"Authorization: Basic " + token + b"\r\n\r\n") * 20)
    return client


def handshakes(target: Target) -> None:
    """Finish one handshake after the other."""
    while not target.over.is_set():
        with contextlib.suppress(OSError):
            target.connect().close()


def wrong_passwords(target: Target) -> None:
    """Send wrong passwords as fast as they are answered."""
    while not target.over.is_set():
        with contextlib.suppress(OSError), target.connect() as client:
            for number in range(50):
                token = base64.b64encode(f"prometheus:{number}".encode())
                client.sendall(GET + b"Authorization: Basic " + token + b"\r\n\r\n")
                target.attempts += 1
                client.recv(4096)


def large_bodies(target: Target) -> None:
    """Send bodies that are too large."""
    while not target.over.is_set():
        with contextlib.suppress(OSError), target.connect() as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(100):
                client.sendall(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")


# What is done, how it is told, and in how many threads.
ATTACKS: tuple[tuple[str, Callable[[Target], None], int], ...] = (
    ("none", nothing, 1),
    ("256 silent connections, renewed", hold(silent, 256), 1),
    ("1,000 half TLS handshakes, renewed", hold(half_handshake, 1000), 1),
    ("TLS handshakes without a pause, 2 clients", handshakes, 2),
    ("256 requests whose headers never end", hold(slow_headers, 256), 1),
    ("64 readers that do not read", hold(slow_reader, 64), 1),
    ("wrong passwords without a pause, 8 clients", wrong_passwords, 8),
    ("bodies that are too large, 4 clients", large_bodies, 4),
)


@dataclasses.dataclass
class Scrapes:
    """How long scrapes took, in seconds, and how many failed."""

    took: list[float] = dataclasses.field(default_factory=list)
    failed: int = 0


def scrape_for(seconds: float, url: str, context: ssl.SSLContext) -> Scrapes:
    """Scrape ten times a second, each time over a new connection with a handshake of its own."""
    found = Scrapes()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        begun = time.perf_counter()
        try:
            answer = fetch.get(f"{url}/metrics", verify=context, auth=USER)
            found.failed += answer.status_code != httpx.codes.OK
        except httpx.TransportError:
            found.failed += 1
        found.took.append(time.perf_counter() - begun)
        time.sleep(max(0.0, 0.1 - found.took[-1]))
    return found


def cpu_seconds(pid: int) -> float:
    """Return the processor time a process has used."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_megabytes(pid: int) -> float:
    """Return the memory of a process."""
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6


def row(
    told: str, attack: Callable[[Target], None], clients: int, sentinel: daemon.Daemon, ca: str
) -> str:
    """Run one attack and return its row of the table."""
    context = ssl.create_default_context(cafile=ca)
    target = Target(sentinel.url, context)
    threads = [threading.Thread(target=attack, args=(target,)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    before = cpu_seconds(sentinel.pid)
    scrapes = scrape_for(SECONDS, sentinel.url, context)
    used = cpu_seconds(sentinel.pid) - before
    memory = resident_megabytes(sentinel.pid)
    target.over.set()
    for thread in threads:
        thread.join()
    return (
        f"| {told} | {target.attempts:,} | {statistics.median(scrapes.took) * 1000:.0f} | "
        f"{max(scrapes.took) * 1000:.0f} | {scrapes.failed} of {len(scrapes.took)} | "
        f"{100 * used / SECONDS:.0f} % | {memory:.0f} |"
    )


def rows(stack: contextlib.ExitStack) -> list[str]:
    """Attack a daemon that serves TLS and asks for passwords; return the rows of the table."""
    directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
    issued = certificates.Certificates(directory)
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(10)).decode()
    web = {
        "tls_server_config": {"cert_file": "cert.pem", "key_file": "key.pem"},
        "basic_auth_users": {USER[0]: hashed},
    }
    (directory / "web.yml").write_text(yaml.safe_dump(web))
    (directory / "redis").mkdir()
    broker = stack.enter_context(redis.RedisServer(directory / "redis"))
    flags = ["--web.config.file", str(directory / "web.yml")]
    sentinel = stack.enter_context(daemon.Daemon(directory, broker.url, args=flags))
    found = []
    for told, attack, clients in ATTACKS:
        sys.stderr.write(f"{told}\n")
        found.append(row(told, attack, clients, sentinel, str(issued.ca_file)))
    return found


def main() -> None:
    """Write the page, and what is under way to stderr."""
    # Servers that close print their logs, which are not for the page.
    with contextlib.redirect_stdout(sys.stderr), contextlib.ExitStack() as stack:
        found = rows(stack)
    PAGE.write_text(
        TEMPLATE.read_text().format(
            version=__version__,
            python=platform.python_version(),
            processors=os.cpu_count(),
            seconds=f"{SECONDS:.0f}",
            rows="\n".join(found),
        )
    )


if __name__ == "__main__":
    main()
