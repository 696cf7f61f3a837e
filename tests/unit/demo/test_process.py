"""A part of the demo logs to its file, and ends with all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from celery_sentinel.demo import process as demo_process
from tests.servers import deadline, process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

SECONDS = 60.0
SLEEP = ["sleep", "600"]
STUBBORN = ["sh", "-c", "trap '' TERM; echo deaf; sleep 600; sleep 600"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[Sequence[str]], demo_process.DemoProcess]]:
    """Start parts that are gone after the test."""
    started: list[demo_process.DemoProcess] = []

    def start_one(command: Sequence[str]) -> demo_process.DemoProcess:
        name = f"part{len(started)}"
        started.append(
            demo_process.DemoProcess(
                "worker", name, command, directory=tmp_path, environment=os.environ
            )
        )
        return started[-1]

    yield start_one
    for one in started:
        one.kill()


def test_it_logs_to_its_file(
    start: Callable[[Sequence[str]], demo_process.DemoProcess], tmp_path: Path
) -> None:
    """Both outputs end up in the log, which is read line by line as it grows."""
    talker = start(["sh", "-c", "echo out; echo err >&2; echo -n unfinished"])
    deadline.wait_until(lambda: talker.died, SECONDS, "the part ends")

    assert talker.exit_code == 0
    assert talker.text() == (tmp_path / "part0.log").read_text() == "out\nerr\nunfinished"
    assert talker.new_lines() == ["out", "err"]
    assert talker.new_lines() == []
    assert talker.tail() == "  out\n  err\n  unfinished"


def test_a_silent_part_says_so(start: Callable[[Sequence[str]], demo_process.DemoProcess]) -> None:
    """A tail is never empty."""
    assert start(SLEEP).tail() == "  (it logged nothing)"


def test_a_missing_program_is_named(
    start: Callable[[Sequence[str]], demo_process.DemoProcess],
) -> None:
    """What cannot be started dies with a word about it."""
    missing = start(["no-such-program"])
    deadline.wait_until(lambda: missing.died, SECONDS, "the part dies")

    assert missing.exit_code == 127
    assert missing.text() == "cannot start no-such-program: No such file or directory\n"


def test_a_large_log_is_emptied(
    start: Callable[[Sequence[str]], demo_process.DemoProcess], tmp_path: Path
) -> None:
    """A log does not fill the disk, and what is logged afterwards is still read."""
    size = demo_process.LOG_BYTES + 1
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    loud = start(["sh", "-c", f"head -c {size} /dev/zero; read _ < gate; echo after; sleep 600"])
    deadline.wait_until(lambda: loud.log.stat().st_size == size, SECONDS, "the log is large")

    loud.trim_log()
    gate.write_text("open\n")
    deadline.wait_until(lambda: loud.text() == "after\n", SECONDS, "the log starts afresh")

    assert loud.new_lines() == ["after"]


def test_an_end_that_was_asked_for_is_no_death(
    start: Callable[[Sequence[str]], demo_process.DemoProcess],
) -> None:
    """A part that was sent home is gone; one that ended by itself died."""
    sent_home, ended = start(SLEEP), start(["true"])

    assert (sent_home.gone, sent_home.died) == (False, False)
    sent_home.terminate()
    deadline.wait_until(lambda: sent_home.gone, SECONDS, "the part is gone")
    deadline.wait_until(lambda: ended.died, SECONDS, "the other part died")

    assert not sent_home.died
    assert not ended.gone


def test_the_willing_are_not_killed(
    start: Callable[[Sequence[str]], demo_process.DemoProcess],
) -> None:
    """Parts that end when asked are left the time to do so."""
    parts = [start(SLEEP), start(SLEEP)]

    demo_process.stop_together(parts, grace=SECONDS, hurry=lambda: False)

    assert [one.exit_code for one in parts] == [-signal.SIGTERM, -signal.SIGTERM]


@pytest.mark.parametrize(("grace", "hurry"), [(0.2, False), (600.0, True)])
def test_the_deaf_are_killed(
    start: Callable[[Sequence[str]], demo_process.DemoProcess], grace: float, hurry: bool
) -> None:
    """A part that does not end in time, or in a hurry, is killed with its children."""
    deaf = start(STUBBORN)
    deadline.wait_until(lambda: "deaf" in deaf.text(), SECONDS, "the part is deaf")

    demo_process.stop_together([deaf], grace=grace, hurry=lambda: hurry)

    assert deaf.exit_code == -signal.SIGKILL
    deadline.wait_until(
        lambda: not process.group_states(deaf.pid), SECONDS, "its children are gone"
    )


def test_it_does_not_outlive_its_starter(tmp_path: Path) -> None:
    """When the process that started a part is killed, the part ends too."""
    script = (
        "import os, pathlib, time\n"
        "from celery_sentinel.demo import process\n"
        f"directory = pathlib.Path({str(tmp_path)!r})\n"
        "command = ['sh', '-c', 'echo ready; exec sleep 600']\n"
        "started = {'directory': directory, 'environment': os.environ}\n"
        "one = process.DemoProcess('load', 'load', command, **started)\n"
        "while 'ready' not in one.text(): time.sleep(0.01)\n"
        "print(one.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        assert process.group_states(pid)

        starter.kill()

        deadline.wait_until(lambda: not process.group_states(pid), SECONDS, "the part is gone")
