"""What a supervisor is told, over a real socket, and when the watchdog is left hungry."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING

import pytest

from celery_sentinel import health, systemd, web
from tests.servers import notify

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterator

NOW = 1000.0


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[notify.Supervisor]:
    """Listen on each kind of socket."""
    with notify.Supervisor(tmp_path if request.param == "path" else None) as listening:
        yield listening


def supervised(listener: notify.Supervisor, **variables: str) -> systemd.Supervisor:
    """Return a supervisor that is told at ``listener``."""
    return systemd.Supervisor({"NOTIFY_SOCKET": listener.address, **variables})


def flood(listener: notify.Supervisor) -> None:
    """Send until the socket takes no more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as flooding:
        flooding.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            for _ in range(100_000):
                flooding.sendto(b"X=1", listener.address)


def test_what_it_is_told(listener: notify.Supervisor) -> None:
    """Start, reload and stop are told in the words of sd_notify(3)."""
    supervisor = supervised(listener)
    supervisor.ready()
    supervisor.tell("not ready: no broker", NOW)
    with supervisor.told_of_reload():
        [_, _, reloading] = listener.read()
    supervisor.stopping()

    assert reloading.pop("MONOTONIC_USEC").isdigit()
    assert [reloading, *listener.read()[3:]] == [
        {"RELOADING": "1"},
        {"READY": "1"},
        {"STOPPING": "1", "STATUS": "stopping"},
    ]
    assert listener.read()[:2] == [{"READY": "1"}, {"STATUS": "not ready: no broker"}]


def test_a_reload_that_raises_is_over(listener: notify.Supervisor) -> None:
    """Systemd would wait for the end of a reload for ever."""
    supervisor = supervised(listener)
    with pytest.raises(ValueError, match="broken"), supervisor.told_of_reload():
        raise ValueError("broken")
    assert listener.keys() == ["RELOADING", "READY"]


def test_the_variables_are_taken() -> None:
    """No child inherits them, and nobody else's variables go."""
    environ = {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "HOME": "/"}
    systemd.Supervisor(environ)
    assert environ == {"HOME": "/"}


def test_nobody_there_is_no_trouble() -> None:
    """Started by hand, all of it does nothing, and no watchdog is fed."""
    supervisor = systemd.Supervisor({"WATCHDOG_USEC": "1000000"})
    supervisor.ready()
    supervisor.tell("ready", NOW)
    supervisor.feed(NOW, NOW)
    supervisor.stopping()
    assert supervisor.period is None


@pytest.mark.parametrize("address", ["vsock:2:1234", "notify", "./notify", "\udcff"])
def test_an_address_it_cannot_use_is_ignored(address: str) -> None:
    """The daemon runs all the same."""
    failures: list[None] = []
    environ = {"NOTIFY_SOCKET": address}
    systemd.Supervisor(environ, failed=lambda: failures.append(None)).ready()
    assert failures == []


@pytest.mark.parametrize("address", ["/nowhere/notify", "@nobody", "@", "/" + "x" * 200, "/\udcff"])
def test_a_failure_is_counted_and_never_raised(address: str) -> None:
    """A supervisor that has gone costs a count for each attempt."""
    failures: list[None] = []
    environ = {"NOTIFY_SOCKET": address}
    supervisor = systemd.Supervisor(environ, failed=lambda: failures.append(None))
    supervisor.ready()
    supervisor.stopping()
    assert len(failures) == 2


def test_what_was_not_delivered_is_sent_again(tmp_path: pathlib.Path) -> None:
    """READY reaches a supervisor that reads late; a reload that ended meanwhile is not told."""
    with notify.Supervisor(tmp_path) as first:
        supervisor = supervised(first)
    supervisor.ready()
    with supervisor.told_of_reload():
        pass
    with notify.Supervisor(tmp_path) as second:
        supervisor.tell("ready", NOW)
        assert second.read() == [{"READY": "1", "STATUS": "ready"}]


def test_a_supervisor_that_reads_nothing_holds_nobody_up(tmp_path: pathlib.Path) -> None:
    """When its queue is full each attempt ends after half a second; then all is well again."""
    with notify.Supervisor(tmp_path) as listener:
        supervisor = supervised(listener, WATCHDOG_USEC="6000000")
        flood(listener)
        supervisor.ready()
        supervisor.feed(NOW, NOW)
        assert {"X": "1"} in listener.read()
        assert listener.keys() == ["X"] * len(listener.read())
        supervisor.tell("ready", NOW)
        assert listener.read()[-1] == {"READY": "1", "STATUS": "ready"}


def test_the_state_is_one_line(listener: notify.Supervisor) -> None:
    """What a broker says in an error cannot make assignments, however long or strange it is."""
    supervised(listener).tell("not ready: oh\nREADY=1\r\x1b\udcff\0" + "x" * 9999, NOW)
    [message] = listener.read()
    assert list(message) == ["STATUS"]
    assert message["STATUS"].startswith("not ready: oh READY=1    xx")
    assert len(message["STATUS"]) == 512


def test_the_state_is_told_when_it_is_news(listener: notify.Supervisor) -> None:
    """The same again is not sent, and what counts seconds not with each of them."""
    supervisor = supervised(listener)
    for second in range(60):
        supervisor.tell("ready", NOW + second / 2)
    for second in range(60):
        supervisor.tell(f"not ready for {second} s", NOW + 30 + second / 2)
        listener.read()  # a socket holds ten
    assert len(listener.read()) == 1 + 15


def test_the_watchdog_is_fed_while_the_loop_turns(listener: notify.Supervisor) -> None:
    """Thrice in each period, not with every look."""
    supervisor = supervised(listener, WATCHDOG_USEC="6000000", WATCHDOG_PID=str(os.getpid()))
    for look in range(120):
        supervisor.feed(turned_at=NOW + look / 2 - 0.1, now=NOW + look / 2)
        listener.read()  # a socket holds ten
    assert supervisor.period == 6
    assert listener.read() == [{"WATCHDOG": "1"}] * 30


def test_the_watchdog_is_not_fed_when_the_loop_stands(listener: notify.Supervisor) -> None:
    """After its last turn it is fed once more at most, however often we look."""
    supervisor = supervised(listener, WATCHDOG_USEC="6000000")
    for look in range(120):
        supervisor.feed(turned_at=NOW, now=NOW + look / 2)
    assert listener.read() == [{"WATCHDOG": "1"}]
    supervisor.feed(turned_at=NOW + 60, now=NOW + 60)
    assert len(listener.read()) == 2


@pytest.mark.parametrize("period", ["", "0", "-1", "1.5", "ten", "\u0663", "9" * 5000])
def test_a_period_it_cannot_use_is_no_watchdog(listener: notify.Supervisor, period: str) -> None:
    """Nothing is fed, and nothing fails."""
    supervisor = supervised(listener, WATCHDOG_USEC=period)
    supervisor.feed(NOW, NOW)
    assert (supervisor.period, listener.read()) == (None, [])


def test_the_watchdog_of_another_process_is_not_ours(listener: notify.Supervisor) -> None:
    """WATCHDOG_PID names who shall feed it."""
    supervisor = supervised(listener, WATCHDOG_USEC="6000000", WATCHDOG_PID="1")
    supervisor.feed(NOW, NOW)
    assert listener.read() == []


def test_the_words() -> None:
    """The state says what /-/ready says, and what became of the last reload."""
    bad = web.Health(ok=False, reasons=("broker redis://h: refused", "and more"))
    assert health.in_words(web.Health(ok=True), reloaded=True) == "ready"
    assert health.in_words(bad, reloaded=True) == "not ready: broker redis://h: refused; and more"
    assert "reload failed" in health.in_words(bad, reloaded=False)


def test_a_thread_that_stands_is_named() -> None:
    """Health names each loop that has not turned for a minute, and only these."""
    beats = [("receiver", NOW - 61), ("poll-queues", NOW - 59)]
    assert health.of_threads(beats, NOW).reasons == ("the receiver thread has not turned for 61 s",)
