"""Which result backends can be watched, what is said of the others, and that no check hangs."""

from __future__ import annotations

import socket
import subprocess
import sys
import textwrap
import threading
import time
from typing import TYPE_CHECKING

import pytest

from celery_sentinel import errors, redaction
from celery_sentinel.config import schema
from celery_sentinel.result_backend import check as result_backend

if TYPE_CHECKING:
    import pathlib

NOTHING = redaction.Scrubber(())
SLACK = 30.0  # seconds that a busy machine may need beside the time-out


def config(url: str | None, *, broker_url: str = "redis://localhost") -> schema.Config:
    """Return the configuration with a result backend."""
    return schema.Config(
        broker=schema.Broker(url=broker_url), result_backend=schema.ResultBackend(url=url)
    )


def test_given_no_url_then_nothing_is_watched() -> None:
    """Without the section there is no backend."""
    assert result_backend.open_backend(config(None)) is None


@pytest.mark.parametrize(
    ("url", "transport"),
    [
        ("redis://:secret@localhost:6379/3", "redis"),
        ("rediss://localhost:6380/0?ssl_cert_reqs=required", "rediss"),
        ("redis+socket:///run/redis.sock?virtual_host=2", "redis+socket"),
        ("rpc://", "rpc"),
        ("db+sqlite:////var/lib/results.sqlite", "db+sqlite"),
    ],
)
def test_given_a_kind_that_can_be_watched_then_its_scheme_is_its_transport(
    url: str, transport: str
) -> None:
    """A backend is opened without a connection, so before the server is there."""
    opened = result_backend.open_backend(config(url))
    assert opened is not None
    assert opened.transport == transport
    opened.close()


def test_given_sentinel_then_the_master_is_named_beside_it() -> None:
    """Sentinel's options stand in the section itself, as Celery has them for results."""
    section = schema.ResultBackend(url="sentinel://h", transport_options={"master_name": "m"})
    opened = result_backend.open_backend(schema.Config(result_backend=section))
    assert opened is not None
    assert opened.transport == "sentinel"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("cache+memcached://h", "allowed: redis, rediss, redis+socket, sentinel, rpc, and db+"),
        ("mongodb://u:hunter2@h/db", "leave the section result_backend out"),
        ("s3://hunter2@h", "leave the section result_backend out"),
        ("rpc://u:hunter2@h//", "go over the broker"),
        ("sentinel://:hunter2@h", "result_backend.transport_options has no master_name"),
        ("rediss://:hunter2@h/0?ssl_hunter2=1", "result_backend.url has an ssl_ option"),
        ("redis://:hunter2@h/0?ssl_cert_reqs=hunter2", "result_backend.url: ssl_cert_reqs is"),
        ("db+nonsense://u:hunter2@h/db", "SQLAlchemy has no dialect for 'nonsense'"),
        ("db+postgresql://u:hun:ter2@h:ter2/db", "SQLAlchemy cannot use this URL"),
        ("db+postgresql+asyncpg://u:hunter2@h/db", "needs the driver asyncpg"),
        ("db+mysql+pymysql://u:hunter2@h/db", "needs the driver pymysql"),
        ("db+sqlite://", "in memory"),
        ("db+sqlite:///:memory:", "in memory"),
    ],
)
def test_given_what_cannot_be_watched_then_the_words_say_why(url: str, words: str) -> None:
    """Each refusal names the setting and what to do, and shows no password."""
    with pytest.raises(errors.ConfigError) as refused:
        result_backend.open_backend(config(url))
    assert words in str(refused.value)
    assert "result_backend" in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert "ter2" not in str(refused.value)


def test_given_rpc_over_a_broker_that_cannot_be_asked_then_it_is_refused() -> None:
    """Results over a broker in memory are nowhere to be found."""
    with pytest.raises(errors.ConfigError, match="over Redis and RabbitMQ only"):
        result_backend.open_backend(config("rpc://", broker_url="memory://"))


def test_given_no_sqlalchemy_then_it_says_what_to_install() -> None:
    """Only db+ needs SQLAlchemy, and says so where it is missing."""
    script = textwrap.dedent("""
        import sys
        sys.modules["sqlalchemy"] = None  # importing it fails from here on
        from celery_sentinel import errors
        from celery_sentinel.result_backend import check
        from celery_sentinel.config import schema

        def opened(url):
            section = schema.ResultBackend(url=url)
            return check.open_backend(schema.Config(result_backend=section))

        assert opened("redis://localhost") is not None
        try:
            opened("db+sqlite:////var/lib/results.sqlite")
        except errors.ConfigError as error:
            print(error)
    """)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert "db+ needs SQLAlchemy, which is not installed; install sqlalchemy" in done.stdout


def test_given_a_missing_sqlite_file_then_it_is_down_and_not_made(tmp_path: pathlib.Path) -> None:
    """Watching must not create what it looks for."""
    file = tmp_path / "results.sqlite"
    opened = result_backend.open_backend(config(f"db+sqlite:///{file}"))
    assert opened is not None
    with pytest.raises(errors.BrokerError) as failed:
        opened.check()
    assert str(failed.value) == f"{file}: no such file"
    assert not file.exists()


def test_given_a_server_that_says_nothing_then_each_check_ends_in_time() -> None:
    """A port that takes connections and never answers is down, and no check outlasts 3 s."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        opened = result_backend.open_backend(config(f"redis://:hunter2@127.0.0.1:{port}/0"))
        assert opened is not None
        for _ in range(2):
            begun = time.monotonic()
            with pytest.raises(errors.BrokerError) as failed:
                opened.check()
            assert time.monotonic() - begun < result_backend.TIMEOUT + SLACK
            assert "hunter2" not in str(failed.value)
        opened.close()


class Hanging:
    """A backend that answers only when it is let go; counts connections and goodbyes."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.connected = 0
        self.closed = 0

    def __call__(self) -> Hanging:
        """Connect."""
        self.connected += 1
        return self

    def round_trip(self) -> float:
        """Hang."""
        self.let_go.wait()
        return 0.25

    def close(self) -> None:
        """Say goodbye."""
        self.closed += 1


def test_given_a_driver_that_hangs_then_one_thread_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Checks time out beside it without starting another, and go on once it answers."""
    hanging = Hanging()
    backend = result_backend.ResultBackend("db+slow", hanging, NOTHING)

    for _ in range(2):
        with pytest.raises(errors.BrokerError, match=r"^no answer within 3 s$"):
            backend.check()
    waiting = [one for one in threading.enumerate() if one.name == "result-backend"]
    hanging.let_go.set()
    monkeypatch.setattr(result_backend, "TIMEOUT", 60.0)  # now it is only to be waited for

    assert len(waiting) == 1
    assert backend.check() == 0.25
    assert hanging.connected == 1


def test_given_a_hanging_check_then_closing_does_not_wait() -> None:
    """The connection is dropped as soon as the driver gives it back."""
    hanging = Hanging()
    backend = result_backend.ResultBackend("db+slow", hanging, NOTHING)
    with pytest.raises(errors.BrokerError):
        backend.check()

    begun = time.monotonic()
    backend.close()
    took = time.monotonic() - begun
    closed_before = hanging.closed
    [thread] = [one for one in threading.enumerate() if one.name == "result-backend"]
    hanging.let_go.set()
    thread.join(60)

    assert took < SLACK
    assert (closed_before, hanging.closed) == (0, 1)
