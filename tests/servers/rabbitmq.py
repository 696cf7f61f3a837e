"""A RabbitMQ node of the tests' own, with its own Erlang port mapper."""

from __future__ import annotations

import contextlib
import itertools
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import amqp

from tests.servers import ports, process, server

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.servers import certificates

# Debian's scripts on PATH insist on running as the user rabbitmq; these run as anybody.
SCRIPTS = Path("/usr/lib/rabbitmq/bin")
_LOOPBACK_ONLY = "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false"
_PROBE_SECONDS = 2.0
MANAGEMENT = "rabbitmq_management"
_CONTROL_SECONDS = 120.0
_VHOSTS_AT_ONCE = 12
_ADD_VHOSTS = """
lists:foreach(fun(Name) ->
  ok = rabbit_vhost:add(Name, <<"tests">>),
  ok = rabbit_auth_backend_internal:set_permissions(
         <<"guest">>, Name, <<".*">>, <<".*">>, <<".*">>, <<"tests">>)
end, [{names}]).
"""


class RabbitServer(server.Broker):
    """rabbitmq-server on free loopback ports with its data below ``directory``.

    ``config`` are lines of rabbitmq.conf. ``url`` is that of the current virtual host, which
    ``fresh_vhost`` changes; the user guest may do everything in it. With ``certificates`` the
    node also speaks TLS: ``tls_url``. With MANAGEMENT among the ``plugins`` its HTTP API is at
    ``management_url``, and with certificates at ``management_tls_url`` too.
    """

    start_seconds = 120.0

    def __init__(
        self,
        directory: Path,
        *,
        certificates: certificates.Certificates | None = None,
        config: Sequence[str] = (),
        plugins: Sequence[str] = (),
        name: str = "rabbitmq",
    ) -> None:
        super().__init__(directory, name)
        self.port = 0
        self.vhost = "/"
        self._dist_port = 0
        self._mapper_port = 0
        self._tls_port = 0
        self._management_port = 0
        self._management_tls_port = 0
        self._certificates = certificates
        self._config = config
        self._plugins = plugins
        self._vhost_numbers = itertools.count(1)
        self._vhosts: list[str] = []  # made and not used yet

    @property
    def url(self) -> str:
        """The broker URL of the current virtual host."""
        return self.url_for(self.vhost)

    @property
    def tls_url(self) -> str:
        """The broker URL of the current virtual host over TLS."""
        plain = self.url_for(self.vhost)
        return plain.replace("amqp://", "amqps://", 1).replace(
            f":{self.port}/", f":{self._tls_port}/", 1
        )

    @property
    def management_url(self) -> str:
        """The management API, without user and password."""
        return f"http://127.0.0.1:{self._management_port}"

    @property
    def management_tls_url(self) -> str:
        """The management API over TLS, without user and password."""
        return f"https://127.0.0.1:{self._management_tls_port}"

    def url_for(self, vhost: str, *, user: str = "guest", password: str = "guest") -> str:  # noqa: S107 - RabbitMQ's own default
        """Return the broker URL of a virtual host."""
        credentials = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return f"amqp://{credentials}@127.0.0.1:{self.port}/{quote(vhost, safe='')}"

    def fresh_vhost(self) -> str:
        """Make a new, empty virtual host the current one and return its name."""
        if not self._vhosts:
            self._add_vhosts()
        self.vhost = self._vhosts.pop(0)
        return self.vhost

    def _add_vhosts(self) -> None:
        """Make some at once: each start of rabbitmqctl takes two seconds of a core."""
        self._vhosts = [f"test{next(self._vhost_numbers)}" for _ in range(_VHOSTS_AT_ONCE)]
        names = ",".join(f'<<"{name}">>' for name in self._vhosts)
        self.ctl("eval", _ADD_VHOSTS.format(names=names))

    def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl with ``arguments`` and return what it prints."""
        done = subprocess.run(
            [str(SCRIPTS / "rabbitmqctl"), "--quiet", *arguments],
            env=self.environment,
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=_CONTROL_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise server.ServerError(
                f"rabbitmqctl {shlex.join(arguments)} exited {done.returncode}:\n"
                f"{done.stdout}{done.stderr}"
            )
        return done.stdout

    def _choose_ports(self) -> None:
        self.port = ports.free_port()
        self._tls_port = ports.free_port()
        self._dist_port = ports.free_port()
        self._mapper_port = ports.free_port()
        self._management_port = ports.free_port()
        self._management_tls_port = ports.free_port()

    def _launch(self) -> process.Process:
        binary = server.find_binary(str(SCRIPTS / "rabbitmq-server"), package="rabbitmq-server")
        mapper = server.find_binary("epmd", package="erlang-base")
        self._write_config()
        # The mapper shares the process group: it is paused and killed with the node.
        return process.Process(
            ["/bin/sh", "-c", f"{mapper} & exec {binary}"],
            env=self.environment,
            cwd=self.directory,
            log=self.log,
        )

    def _write_config(self) -> None:
        lines = [
            f"listeners.tcp.1 = 127.0.0.1:{self.port}",
            *self._tls_config(),
            *self._management_config(),
            *self._config,
        ]
        self._file("rabbitmq.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
        self._file("plugins").write_text(f"[{','.join(self._plugins)}].\n", encoding="utf-8")
        self._file("env.conf").touch()

    def _tls_config(self) -> list[str]:
        if self._certificates is None:
            return []
        return [
            f"listeners.ssl.1 = 127.0.0.1:{self._tls_port}",
            f"ssl_options.cacertfile = {self._certificates.ca_file}",
            f"ssl_options.certfile = {self._certificates.cert_file}",
            f"ssl_options.keyfile = {self._certificates.key_file}",
        ]

    def _management_config(self) -> list[str]:
        if MANAGEMENT not in self._plugins:
            return []
        # The figures of the API are as old as this interval, by default 5 s.
        plain = [
            "collect_statistics_interval = 500",
            "management.tcp.ip = 127.0.0.1",
            f"management.tcp.port = {self._management_port}",
        ]
        if self._certificates is None:
            return plain
        return [
            *plain,
            "management.ssl.ip = 127.0.0.1",
            f"management.ssl.port = {self._management_tls_port}",
            f"management.ssl.cacertfile = {self._certificates.ca_file}",
            f"management.ssl.certfile = {self._certificates.cert_file}",
            f"management.ssl.keyfile = {self._certificates.key_file}",
        ]

    def _file(self, suffix: str) -> Path:
        return self.directory / f"{self.name}.{suffix}"

    @property
    def environment(self) -> dict[str, str]:
        """All that keeps this node, and its tools, apart from any other on the machine."""
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "HOME": str(self.directory),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._mapper_port),
            "RABBITMQ_NODENAME": f"{self.name}@localhost",
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_CONF_ENV_FILE": str(self._file("env.conf")),
            "RABBITMQ_CONFIG_FILE": str(self._file("rabbitmq.conf")),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._file("plugins")),
            "RABBITMQ_MNESIA_BASE": str(self._file("mnesia")),
            "RABBITMQ_LOG_BASE": str(self._file("logs")),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": str(self._file("pid")),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{_LOOPBACK_ONLY} +S 2:2",
            "RABBITMQ_CTL_ERL_ARGS": _LOOPBACK_ONLY,
        }

    def _answers(self) -> bool:
        probe = amqp.Connection(
            f"127.0.0.1:{self.port}",
            userid="guest",
            password="guest",  # noqa: S106 - RabbitMQ's own default
            connect_timeout=_PROBE_SECONDS,
            read_timeout=_PROBE_SECONDS,
        )
        with contextlib.suppress(OSError, amqp.AMQPError):
            probe.connect()
            probe.close()
            return "Server startup complete" in self.process.log_text()
        return False
