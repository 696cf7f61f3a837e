"""The fixtures themselves: what they start works, and what they end is gone."""

from __future__ import annotations

import os
import signal
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

from tests.servers import daemon, deadline, process, redis, server

if TYPE_CHECKING:
    from tests import conftest
    from tests.servers import certificates, promtool, rabbitmq, redis_sentinel
    from tests.servers.worker import Pool

_SECONDS = 20.0


def accepts(broker_url: str, **options: Any) -> bool:
    """Tell whether a Celery client could talk to the broker now."""
    with kombu.Connection(broker_url, connect_timeout=5, **options) as connection:
        try:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=5)
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
    with socket.create_connection(("127.0.0.1", redis_server.port), timeout=0.2) as client:
        redis_server.pause()
        client.sendall(b"PING\r\n")
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


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo", "gevent"])
def test_worker_of_each_pool_runs_a_task(
    pool: Pool,
    redis_server: redis.RedisServer,
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Every pool starts, runs what the producer sends, and stops with nothing left."""
    celery_worker = start_worker(redis_server.url, pool=pool)
    producer = make_producer(redis_server.url)

    producer.send("quick", 1)
    deadline.wait_until(
        lambda: celery_worker.truth.outcomes()["succeeded"] == 1, _SECONDS, "the task succeeded"
    )
    code = celery_worker.stop()

    assert producer.sent == {("quick", "celery"): 1}
    assert code == 0
    assert process.group_states(celery_worker.pid) == {}


def test_truth_tells_every_outcome(
    broker: server.Broker,
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """The record names each outcome of each task, by way of Celery's signals."""
    celery_worker = start_worker(broker.url, queues=["celery", "other"])
    producer = make_producer(broker.url)

    producer.send("quick", queue="other")
    producer.send("failing", "declined")
    producer.send("retrying", 2)
    producer.send("quick", expires=-1, queue="other")
    producer.send("ignoring")
    producer.send("not_a_number")
    producer.send("lone_surrogate")
    producer.send("progressing", 0.5)
    producer.send("silent")
    producer.send_unregistered("nobody_knows")
    expected = {"succeeded": 6, "failed": 1, "retried": 2, "revoked": 1, "unknown": 1}

    def outcomes() -> dict[str, int]:
        counted = celery_worker.truth.outcomes()
        return {outcome: counted[outcome] for outcome in expected}

    deadline.wait_until(lambda: outcomes() == expected, _SECONDS, "all tasks ended")
    assert celery_worker.truth.exceptions() == {
        ("failing", "PaymentDeclinedError"): 1,
        ("retrying", "TimeoutError"): 2,
    }
    assert celery_worker.truth.counts()["received", "retrying"] == 3


def test_killed_worker_takes_its_children_along(
    redis_server: redis.RedisServer, start_worker: conftest.StartWorker
) -> None:
    """A worker has pool processes; killing it leaves none of them."""
    celery_worker = start_worker(redis_server.url, concurrency=2)
    alive = process.group_states(celery_worker.pid)

    celery_worker.kill()

    assert len(alive) >= 3
    assert process.group_states(celery_worker.pid) == {}
    assert celery_worker.returncode == -signal.SIGKILL


def test_server_that_cannot_start_shows_its_log(tmp_path: Path) -> None:
    """The error of a failed start says what the server itself said."""
    broken = redis.RedisServer(tmp_path, extra_args=["--no-such-option", "1"])

    with pytest.raises(server.ServerError, match=r"exit code 1(.|\n)*no-such-option"):
        broken.start()


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


def test_promtool_accepts_good_and_names_bad(prom_tool: promtool.PromTool) -> None:
    """A clean exposition yields no complaint; a wrong one is named."""
    assert prom_tool.complaints(b"# HELP up_now Up.\n# TYPE up_now gauge\nup_now 1\n") == []
    assert any("bad_total" in line for line in prom_tool.complaints(b"bad_total 1\n"))


def test_samples_are_found_by_some_of_their_labels() -> None:
    """A parsed exposition is added up over the labels that a test does not name."""
    samples = daemon.parse('done{name="a",queue="x"} 1\ndone{name="a",queue="y"} 2\n')

    assert samples["done", frozenset({("name", "a"), ("queue", "x")})] == 1
    assert daemon.total(samples, "done", name="a") == 3
    assert daemon.total(samples, "done", name="b") is None


def test_waiting_says_what_it_waited_for() -> None:
    """A missed deadline names the expectation and shows the last value."""
    with pytest.raises(TimeoutError, match=r"pigs fly: not within 0\.1 s; last seen: 0"):
        deadline.wait_until(lambda: 0, 0.1, "pigs fly")


def test_daemon_is_found_by_its_log_and_scraped(
    redis_server: redis.RedisServer, start_daemon: conftest.StartDaemon
) -> None:
    """The installed command listens on a port of the system's choice and ends when asked."""
    sentinel = start_daemon(redis_server.url)

    scraped = daemon.total(sentinel.scrape(), "celery_sentinel_build_info")
    health = sentinel.get("/-/healthy")
    code = sentinel.stop()

    assert scraped == 1
    assert health.status_code == 200
    assert code == 0
