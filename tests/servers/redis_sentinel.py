"""A Redis Sentinel that watches one Redis server of the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import redis as client_library

from tests.servers import ports, process, server

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.servers import redis

_PROBE_SECONDS = 1.0


class RedisSentinel(server.Broker):
    """One sentinel; ``url`` is for Celery, with ``transport_options``.

    ``quorum`` sentinels must agree that the master is down; ``config`` are further lines.
    """

    master_name = "fleet-master"

    def __init__(
        self,
        directory: Path,
        master: redis.RedisServer,
        *,
        quorum: int = 1,
        config: Sequence[str] = (),
        name: str = "sentinel",
    ) -> None:
        super().__init__(directory, name)
        self.port = 0
        self._master = master
        self._quorum = quorum
        self._config = config

    @property
    def url(self) -> str:
        """The broker URL, which names the sentinel, not the master."""
        return f"sentinel://127.0.0.1:{self.port}/0"

    @property
    def transport_options(self) -> dict[str, str]:
        """What kombu needs beside the URL."""
        return {"master_name": self.master_name}

    def state(self) -> dict[str, Any]:
        """Return what the sentinel says of the master, such as ``num-slaves`` and ``port``."""
        with client_library.Redis(port=self.port, decode_responses=True) as client:
            return dict(client.sentinel_master(self.master_name))

    def acl(self, *words: str) -> None:
        """Run an ACL command, such as ``"ACL", "SETUSER", ...``."""
        with client_library.Redis(port=self.port) as client:
            client.execute_command(*words)

    def _choose_ports(self) -> None:
        self.port = ports.free_port()

    def _launch(self) -> process.Process:
        binary = server.find_binary("redis-server", package="redis-server")
        # Sentinel writes to its configuration file, so each start gets a new one.
        config = self.directory / f"{self.name}.conf"
        config.write_text(
            f"bind 127.0.0.1\nport {self.port}\ndir {self.directory}\n"
            f"sentinel monitor {self.master_name} 127.0.0.1 {self._master.port} "
            f"{self._quorum}\n"
            # A master that waits for the processor is not down, and an election without a result
            # is repeated after twice its time-out, which is three minutes by default.
            f"sentinel down-after-milliseconds {self.master_name} 4000\n"
            f"sentinel failover-timeout {self.master_name} 15000\n"
            + "".join(f"{line}\n" for line in self._config),
            encoding="utf-8",
        )
        return process.Process(
            [binary, str(config), "--sentinel"],
            env={"LC_ALL": "C.UTF-8"},
            cwd=self.directory,
            log=self.log,
        )

    def _answers(self) -> bool:
        probe = client_library.Sentinel([("127.0.0.1", self.port)], socket_timeout=_PROBE_SECONDS)
        try:
            host, port = probe.discover_master(self.master_name)
        except client_library.sentinel.MasterNotFoundError:
            return False
        return (host, port) == ("127.0.0.1", self._master.port)
