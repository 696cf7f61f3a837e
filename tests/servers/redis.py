"""A redis-server of the tests' own."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING
from urllib.parse import quote

import redis

from tests.servers import ports, process, server

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.servers import certificates

_PROBE_SECONDS = 1.0


class RedisServer(server.Broker):
    """redis-server on a free loopback port and a unix socket; it keeps nothing on disk.

    With ``certificates`` it also speaks TLS, on a port of its own: ``tls_url``. ``extra_args``
    are given to redis-server after our own, so they win.
    """

    def __init__(
        self,
        directory: Path,
        *,
        password: str | None = None,
        certificates: certificates.Certificates | None = None,
        extra_args: Sequence[str] = (),
        name: str = "redis",
    ) -> None:
        super().__init__(directory, name)
        self.port = 0
        self.password = password
        self.socket_path = directory / f"{name}.sock"
        self._certificates = certificates
        self._tls_port = 0
        self._extra_args = extra_args

    @property
    def url(self) -> str:
        """The broker URL of database 0."""
        return self.url_for(0)

    @property
    def socket_url(self) -> str:
        """The broker URL by way of the unix socket."""
        return f"redis+socket://{self._credentials}{self.socket_path}"

    @property
    def tls_url(self) -> str:
        """The broker URL over TLS."""
        return f"rediss://{self._credentials}127.0.0.1:{self._tls_port}/0"

    def url_for(self, database: int) -> str:
        """Return the broker URL of one database."""
        return f"redis://{self._credentials}127.0.0.1:{self.port}/{database}"

    def client(self, database: int = 0) -> redis.Redis:
        """Return a client of one database; the caller closes it."""
        return redis.Redis.from_url(self.url_for(database))

    @property
    def _credentials(self) -> str:
        return f":{quote(self.password, safe='')}@" if self.password else ""

    def _choose_ports(self) -> None:
        self.port = ports.free_port()
        self._tls_port = ports.free_port()

    def _launch(self) -> process.Process:
        binary = server.find_binary("redis-server", package="redis-server")
        options = {
            "--bind": "127.0.0.1",
            "--port": str(self.port),
            "--unixsocket": str(self.socket_path),
            "--dir": str(self.directory),
            "--save": "",
            "--appendonly": "no",
            "--daemonize": "no",
        }
        if self.password:
            options["--requirepass"] = self.password
        if self._certificates:
            options |= {
                "--tls-port": str(self._tls_port),
                "--tls-cert-file": str(self._certificates.cert_file),
                "--tls-key-file": str(self._certificates.key_file),
                "--tls-ca-cert-file": str(self._certificates.ca_file),
                "--tls-auth-clients": "no",
            }
        arguments = [part for option in options.items() for part in option]
        return process.Process(
            [binary, *arguments, *self._extra_args],
            env={"LC_ALL": "C.UTF-8"},
            cwd=self.directory,
            log=self.log,
        )

    def _answers(self) -> bool:
        # Not through a client: a server that asks for a password has started, too. Over the
        # unix socket, because on a port that was taken in between another server would answer.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(_PROBE_SECONDS)
            probe.connect(str(self.socket_path))
            probe.sendall(b"PING\r\n")
            return probe.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        return False
