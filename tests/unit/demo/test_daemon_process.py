"""The demo starts the daemon as anybody would, and learns from its log where it listens."""

from __future__ import annotations

import socket

import pytest

from celery_sentinel.demo import daemon_process


def test_the_address_asked_for_is_kept() -> None:
    """Only the default address gives way; any other is the daemon's to refuse."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        busy = f"127.0.0.1:{server.getsockname()[1]}"

        assert daemon_process.address_to_use(busy) == busy


def test_a_busy_default_gives_way() -> None:
    """When somebody has the default port, any free one will do."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        busy = f"127.0.0.1:{server.getsockname()[1]}"

        assert daemon_process.address_to_use(busy, default=busy) == "127.0.0.1:0"

    assert daemon_process.address_to_use(busy, default=busy) == busy


@pytest.mark.parametrize(
    ("log", "url"),
    [
        ("", None),
        ("level=info event=starting url=http://elsewhere", None),
        (
            "level=info event=starting\nlevel=info event=web_listening url=http://127.0.0.1:81/\n",
            "http://127.0.0.1:81",
        ),
        ('event=web_listening host=a url="http://[::1]:9808" x=1', "http://[::1]:9808"),
    ],
)
def test_url(log: str, url: str | None) -> None:
    """The URL is that of the line that says where the daemon listens."""
    assert daemon_process.url(log) == url


@pytest.mark.parametrize(
    ("line", "level", "expected"),
    [
        ("level=info event=a", "info", True),
        ("event=a level=info", "warning", False),
        ("level=error event=a", "warning", True),
        ("level=debug event=a", "info", False),
        ("level=debug event=a", "debug", True),
        ("Traceback (most recent call last):", "error", True),
        ("level=strange event=a", "error", True),
    ],
)
def test_audible(line: str, level: str, expected: bool) -> None:
    """A line is heard from its own level on, and always when it has none."""
    assert daemon_process.audible(line, level) is expected


@pytest.mark.parametrize(
    ("wanted", "passed"), [("debug", "debug"), ("info", "info"), ("error", "info")]
)
def test_the_daemon_logs_where_it_listens(wanted: str, passed: str) -> None:
    """However quiet the demo shall be, the daemon says what the demo must know."""
    command = daemon_process.command("redis://127.0.0.1:1/0", "127.0.0.1:0", wanted)

    assert command[1:4] == ["-m", "celery_sentinel", "run"]
    assert command[command.index("--log.level") + 1] == passed
