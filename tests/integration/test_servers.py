"""The brokers of the fixtures: what they start works, and what they end is gone."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kombu
import pytest
from kombu import exceptions

from tests.servers import deadline, process, redis, server

if TYPE_CHECKING:
    from tests import conftest
    from tests.servers import certificates, rabbitmq, redis_sentinel

_SECONDS = 60.0


def accepts(broker_url: str, **options: Any) -> bool:
    """Tell whether a Celery client could talk to the broker now."""
    with kombu.Connection(broker_url, connect_timeout=30, **options) as connection:
        try:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=30)
            connection.default_channel.queue_declare("probe", auto_delete=True)
        except (*connection.connection_errors, exceptions.OperationalError):
            return False
        return True


def test_started_broker_accepts_clients(broker: server.Broker) -> None:
    """A broker that was started can be used."""
    assert accepts(broker.url)


def test_stopped_broker_is_gone(broker: server.Broker) -> None:
    """After stop no process of the broker is left, and nobody listens."""
    group = broker.pid

    broker.stop()

    assert not broker.running
    assert process.group_states(group) == {}
    assert not accepts(broker.url)


def test_killed_broker_comes_back_on_the_same_port(broker: server.Broker) -> None:
    """A broker can be killed and restarted; its URL stays."""
    url = broker.url
    first = broker.pid

    broker.kill()
    broker.restart()

    assert process.group_states(first) == {}
    assert broker.pid != first
    assert broker.url == url
    assert accepts(url)


def test_paused_broker_is_silent_until_resumed(redis_server: redis.RedisServer) -> None:
    """A paused server takes connections and answers nothing, as one that hangs."""
    with socket.create_connection(("127.0.0.1", redis_server.port), timeout=_SECONDS) as client:
        redis_server.pause()
        client.sendall(b"PING\r\n")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(64)

        redis_server.resume()
        client.settimeout(_SECONDS)

        assert client.recv(64) == b"+PONG\r\n"


def test_paused_rabbitmq_goes_on(rabbitmq_server: rabbitmq.RabbitServer) -> None:
    """All processes of a paused RabbitMQ stand still; resumed, it works as before."""
    rabbitmq_server.pause()
    states = process.group_states(rabbitmq_server.pid)
    rabbitmq_server.resume()

    assert set(states.values()) == {"T"}
    assert accepts(rabbitmq_server.url)


def test_redis_takes_password_options_and_socket(start_redis: conftest.StartRedis) -> None:
    """A password is in both URLs, and further arguments reach redis-server."""
    secret = "s3/cret"  # noqa: S105 - of a server that lives for this test
    broker = start_redis(password=secret, extra_args=["--maxclients", "77"])

    with broker.client() as client:
        assert client.info("clients")["maxclients"] == 77
    assert accepts(broker.url)
    assert accepts(broker.socket_url)
    assert not accepts(broker.url.replace("s3", "wrong"))


def test_redis_speaks_tls(start_redis: conftest.StartRedis, tls: certificates.Certificates) -> None:
    """With certificates a Redis server takes TLS clients that trust its authority, only."""
    broker = start_redis(certificates=tls)

    assert accepts(
        broker.tls_url, ssl={"ssl_cert_reqs": "required", "ssl_ca_certs": str(tls.ca_file)}
    )
    assert not accepts(broker.tls_url, ssl={"ssl_cert_reqs": "required"})


def test_rabbitmq_speaks_tls(
    rabbitmq_server: rabbitmq.RabbitServer, tls: certificates.Certificates
) -> None:
    """The RabbitMQ node takes TLS clients that trust its authority, only."""
    trusting = {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": str(tls.ca_file)}

    assert accepts(rabbitmq_server.tls_url, ssl=trusting)
    assert not accepts(rabbitmq_server.tls_url, ssl={"cert_reqs": ssl.CERT_REQUIRED})


def test_sentinel_leads_to_its_master(
    redis_behind_sentinel: redis_sentinel.RedisSentinel, redis_server: redis.RedisServer
) -> None:
    """A client that knows the sentinel only reaches the Redis server behind it."""
    options = redis_behind_sentinel.transport_options

    assert accepts(redis_behind_sentinel.url, transport_options=options)
    with redis_server.client() as client:
        assert client.info("commandstats")["cmdstat_ping"]["calls"] >= 1


def test_rabbitmq_users_are_told_apart(rabbitmq_server: rabbitmq.RabbitServer) -> None:
    """The control command speaks to this node, and a user without rights is refused."""
    secret = "pass/word"  # noqa: S105 - of a server that lives for this test
    rabbitmq_server.ctl("add_user", "reader", secret)

    assert "reader" in rabbitmq_server.ctl("list_users")
    refused = rabbitmq_server.url_for(rabbitmq_server.vhost, user="reader", password=secret)
    assert not accepts(refused)


def test_server_that_cannot_start_shows_its_log(tmp_path: Path) -> None:
    """The error of a failed start says what the server itself said."""
    broken = redis.RedisServer(tmp_path, extra_args=["--no-such-option", "1"])

    with pytest.raises(server.ServerError, match=r"exit code 1(.|\n)*no-such-option"):
        broken.start()


def test_time_without_the_processor_is_not_counted(tmp_path: Path) -> None:
    """A second in which a process stood still is hardly any of its running time."""
    script = textwrap.dedent("""
        import os, signal, subprocess, time
        from tests.servers import deadline
        with deadline.Running() as running:
            begun = time.monotonic()
            deadline.wait_until(lambda: running.seconds > 0.1, 60, "it runs")
            subprocess.Popen(["sh", "-c", f"sleep 1; kill -CONT {os.getpid()}"])
            os.kill(os.getpid(), signal.SIGSTOP)
            stood = time.monotonic() - begun - running.seconds
        print(stood > 0.8)
    """)
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "True\n"


def test_taken_port_is_tried_again_elsewhere(tmp_path: Path) -> None:
    """A port that was taken between its choice and the start does no harm."""

    class Unlucky(redis.RedisServer):
        def _choose_ports(self) -> None:
            super()._choose_ports()
            if not hasattr(self, "taken"):
                self.taken = socket.create_server(("127.0.0.1", self.port))

    with Unlucky(tmp_path) as lucky_at_last:
        taken = lucky_at_last.taken.getsockname()[1]
        lucky_at_last.taken.close()

        assert lucky_at_last.port != taken
        assert accepts(lucky_at_last.url)


def test_missing_program_is_named_with_its_package() -> None:
    """A missing server fails the test and says what to install."""
    with pytest.raises(server.ServerError, match="apt-get install the-package"):
        server.find_binary("no-such-server", package="the-package")


def test_nothing_outlives_a_killed_session(tmp_path: Path) -> None:
    """When the test session is killed, its servers are killed, too."""
    session = textwrap.dedent("""
        import pathlib, signal, sys
        from tests.servers import redis
        print(redis.RedisServer(pathlib.Path(sys.argv[1])).start().pid, flush=True)
        signal.pause()
    """)
    with subprocess.Popen(
        [sys.executable, "-c", session, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        text=True,
    ) as killed:
        assert killed.stdout is not None
        group = int(killed.stdout.readline())
        killed.kill()

    deadline.wait_until(
        lambda: not process.group_states(group), _SECONDS, f"redis-server {group} ended"
    )
