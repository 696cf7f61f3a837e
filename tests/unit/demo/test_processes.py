"""The parts of the demo are watched together and stopped in order."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from celery_sentinel.demo import processes, stop_signals
from tests.servers import deadline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = 60.0
SLEEP = ["sleep", "600"]


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[processes.DemoProcesses]:
    """Make an ensemble that is stopped after the test."""
    with stop_signals.Asked() as stop:
        everybody = processes.DemoProcesses(
            stop,
            directory=tmp_path,
            environment=os.environ,
            audible=lambda line: "secret" not in line,
        )
        yield everybody
        everybody.stop()


def nothing() -> None:
    """Do nothing, as often as wanted."""


def test_it_waits_for_an_answer(parts: processes.DemoProcesses) -> None:
    """Waiting ends with the answer."""
    talker = parts.start("load", "talker", ["sh", "-c", "echo hello; sleep 600"])

    assert parts.wait(lambda: talker.text() or None, talker, seconds=SECONDS) == "hello\n"


def test_it_does_not_wait_for_ever(parts: processes.DemoProcesses) -> None:
    """The error names the part and the time."""
    silent = parts.start("broker", "broker", SLEEP)

    with pytest.raises(processes.ProcessFailedError) as caught:
        parts.wait(lambda: None, silent, seconds=0.2)

    expected = "the demo's broker was not ready within 0.2 s, so the demo stopped"
    assert str(caught.value) == expected


def test_a_death_is_told(parts: processes.DemoProcesses) -> None:
    """When a part dies the error says which, how, and what it said last."""
    parts.start("broker", "broker", SLEEP)
    parts.start("worker", "orders", ["sh", "-c", "echo 'no more'; exit 5"])

    with pytest.raises(processes.ProcessFailedError) as caught:
        parts.hold(SECONDS, nothing)

    assert caught.value.exit_code == 1
    assert str(caught.value) == "the demo's orders died (exit code 5), so the demo stopped"
    assert caught.value.last_words == "the end of the log of orders:\n  no more"


@pytest.mark.parametrize(("code", "passed"), [(1, 1), (2, 2), (3, 3), (4, 1)])
def test_the_daemons_exit_code_is_passed_on(
    parts: processes.DemoProcesses, code: int, passed: int
) -> None:
    """What the daemon says about its configuration or port is what the demo says."""
    parts.start("daemon", "daemon", ["sh", "-c", f"exit {code}"])

    with pytest.raises(processes.ProcessFailedError) as caught:
        parts.hold(SECONDS, nothing)

    assert caught.value.exit_code == passed


def test_a_signal_stops_the_show(parts: processes.DemoProcesses) -> None:
    """Being asked ends a show without an end."""
    with pytest.raises(processes.Stopped):
        parts.hold(None, lambda: os.kill(os.getpid(), signal.SIGINT))


def test_a_part_sent_home_is_forgotten(parts: processes.DemoProcesses) -> None:
    """The end of a part that was asked to end does not end the show."""
    leaver = parts.start("worker", "seasonal", SLEEP)
    leaver.terminate()

    deadline.wait_until(lambda: leaver.gone, SECONDS, "it is gone")
    parts.hold(0.3, nothing)


def test_only_the_audible_part_of_the_daemons_log_is_heard(
    parts: processes.DemoProcesses, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the daemon logs goes to stderr, line by line, unless nobody wants to hear it."""
    daemon = parts.start("daemon", "daemon", ["sh", "-c", "echo one; echo secret; echo two"])
    parts.start("worker", "orders", ["sh", "-c", "echo three; sleep 600"])

    deadline.wait_until(lambda: daemon.died, SECONDS, "it has logged all")
    with pytest.raises(processes.ProcessFailedError):
        parts.tick()

    assert capsys.readouterr().err == "one\ntwo\n"


def test_the_order_of_the_end(
    parts: processes.DemoProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Load first, then workers, then the daemon; the broker lasts longest."""
    monkeypatch.setattr(processes, "GRACE", SECONDS)  # nobody is to be killed
    last_words = "trap 'echo {} >> {}/ends; exit' TERM; echo ready; while :; do sleep 0.05; done"
    for kind in ("broker", "daemon", "worker", "load"):
        one = parts.start(kind, kind, ["sh", "-c", last_words.format(kind, tmp_path)])
        parts.wait(lambda one=one: one.text() or None, one, seconds=SECONDS)  # type: ignore[misc]

    parts.stop()

    assert (tmp_path / "ends").read_text().split() == ["load", "worker", "daemon", "broker"]
