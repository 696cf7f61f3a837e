"""Result backends that come, go, freeze and come back, each a real server or file."""

from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING

import pytest

from celery_sentinel import errors
from celery_sentinel.config import schema
from celery_sentinel.result_backend import check as result_backend
from tests.servers import deadline

if TYPE_CHECKING:
    import contextlib
    import pathlib
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import certificates, rabbitmq, redis, redis_sentinel, server

    Watch = Callable[..., result_backend.ResultBackend]

SLACK = 30.0  # seconds that a busy machine may need beside the time-out
LATE = re.compile("no answer|timed? ?out", re.IGNORECASE)
SECRET = "s3/cr:et"  # noqa: S105 - of servers that live for one test


@pytest.fixture
def watched(closing: contextlib.ExitStack) -> Watch:
    """Watch a result backend, and let go of it at the end."""

    def watch(
        url: str, *, broker: schema.Broker | None = None, **options: object
    ) -> result_backend.ResultBackend:
        section = schema.ResultBackend(url=url, transport_options=options)
        config = schema.Config(broker=broker or schema.Broker(), result_backend=section)
        backend = result_backend.open_backend(config)
        assert backend is not None
        closing.callback(backend.close)
        return backend

    return watch


def failure(backend: result_backend.ResultBackend) -> str:
    """Return why a check fails; one that says that time was short, on a busy machine, is repeated.

    All fail in time.
    """

    def reason() -> str | None:
        text = silence(backend)
        return None if LATE.search(text) else text

    return deadline.wait_until(reason, 120, "a reason") or ""


def silence(backend: result_backend.ResultBackend) -> str:
    """Return the text of a check that fails, and does so in time."""
    with deadline.Running() as running, pytest.raises(errors.BrokerError) as failed:
        backend.check()
    assert running.seconds < result_backend.TIMEOUT + SLACK
    return str(failed.value)


def answer(backend: result_backend.ResultBackend) -> float:
    """Return what a check that succeeds does; one that a busy machine was too slow for is repeated.

    Any other failure is one.
    """

    def seconds() -> float | None:
        try:
            return backend.check()
        except errors.BrokerError as error:
            if not LATE.search(str(error)):
                raise
            return None

    return deadline.wait_until(seconds, 120, "an answer") or 0.0


def over(broker: server.Broker) -> schema.Broker:
    """Return the settings of a broker that results go over."""
    return schema.Broker(url=broker.url)


@pytest.mark.parametrize("database", [0, 7])
def test_redis_answers(redis_server: redis.RedisServer, watched: Watch, database: int) -> None:
    """A Redis that is there answers within its time, whatever the database."""
    backend = watched(redis_server.url_for(database))
    assert answer(backend) > 0
    assert answer(backend) > 0


def test_one_connection_is_kept(redis_server: redis.RedisServer, watched: Watch) -> None:
    """Checks use one connection, under our name and in the right database."""
    backend = watched(redis_server.url_for(5))
    for _ in range(20):
        answer(backend)
    with redis_server.client() as client:
        ours = [one for one in client.client_list() if one["name"] == "celery-sentinel"]
    assert [one["db"] for one in ours] == ["5"]


def test_redis_with_password_socket_and_tls(
    start_redis: conftest.StartRedis, tls: certificates.Certificates, watched: Watch
) -> None:
    """A password, a unix socket and TLS are taken from the URL; a wrong password is told."""
    broker = start_redis(password=SECRET, certificates=tls)
    trusting = f"{broker.tls_url}?ssl_ca_certs={tls.ca_file}"

    assert answer(watched(broker.url)) > 0
    assert answer(watched(broker.socket_url)) > 0
    assert answer(watched(trusting)) > 0
    distrusted = failure(watched(broker.tls_url))
    refused = failure(watched(broker.url.replace("s3", "wrong")))

    assert "certificate verify failed" in distrusted
    assert "invalid username-password pair" in refused.lower()
    assert "cr:et" not in refused
    assert "cr%3Aet" not in refused


@pytest.mark.parametrize("kind", ["redis", "rpc"])
def test_redis_killed_and_restarted(
    redis_server: redis.RedisServer, watched: Watch, kind: str
) -> None:
    """A backend that dies is down at the next check, and up at the first after its return."""
    url = redis_server.url if kind == "redis" else "rpc://"
    backend = watched(url, broker=over(redis_server))
    assert answer(backend) > 0

    redis_server.kill()
    text = failure(backend)
    redis_server.restart()

    assert f"127.0.0.1:{redis_server.port}" in text
    assert answer(backend) > 0


def test_restart_between_two_checks_is_no_failure(
    redis_server: redis.RedisServer, watched: Watch
) -> None:
    """A connection that broke while nobody looked is replaced within the check."""
    backend = watched(redis_server.url)
    assert answer(backend) > 0
    redis_server.restart()
    assert answer(backend) > 0


def test_paused_redis(redis_server: redis.RedisServer, watched: Watch) -> None:
    """A Redis that hangs is down within 3 s each time, and up when it goes on."""
    backend = watched(redis_server.url)
    assert answer(backend) > 0

    redis_server.pause()
    texts = [silence(backend), silence(backend)]
    redis_server.resume()

    assert all(texts)
    assert answer(backend) > 0


def test_sentinel_leads_to_the_master(
    redis_behind_sentinel: redis_sentinel.RedisSentinel,
    redis_server: redis.RedisServer,
    watched: Watch,
) -> None:
    """Behind Sentinel it is the master that is asked; without it the backend is down."""
    options = redis_behind_sentinel.transport_options
    backend = watched(redis_behind_sentinel.url, **options)
    assert answer(backend) > 0

    redis_server.kill()

    assert silence(backend)


def test_rpc_over_rabbitmq(rabbitmq_server: rabbitmq.RabbitServer, watched: Watch) -> None:
    """Results over RabbitMQ are there while it is, paused, stopped and started again."""
    backend = watched("rpc://", broker=over(rabbitmq_server))
    assert answer(backend) > 0
    assert answer(backend) > 0

    rabbitmq_server.pause()
    hanging = silence(backend)
    rabbitmq_server.resume()
    assert answer(backend) > 0
    rabbitmq_server.kill()
    gone = failure(backend)
    rabbitmq_server.restart()

    assert hanging
    assert f"127.0.0.1:{rabbitmq_server.port}" in gone
    assert answer(backend) > 0


def test_rpc_over_rabbitmq_with_a_wrong_password(
    rabbitmq_server: rabbitmq.RabbitServer, watched: Watch
) -> None:
    """A refused login is down, in RabbitMQ's words and without the password."""
    url = rabbitmq_server.url_for(rabbitmq_server.vhost, password=SECRET)
    text = failure(watched("rpc://", broker=schema.Broker(url=url)))
    assert "ACCESS_REFUSED" in text
    assert "cr:et" not in text


def test_sqlite_file(tmp_path: pathlib.Path, watched: Watch) -> None:
    """A database file that is there answers; moved away it is down; back again it is up."""
    file, away = tmp_path / "results.sqlite", tmp_path / "away"
    with sqlite3.connect(file) as connection:
        connection.execute("create table results (id)")
    connection.close()
    backend = watched(f"db+sqlite:///{file}")
    assert answer(backend) > 0

    file.rename(away)
    text = failure(backend)
    away.rename(file)

    assert text == f"{file}: no such file"
    assert answer(backend) > 0
