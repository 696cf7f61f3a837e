"""A state file belongs to one daemon at a time; another leaves it as it is."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from celery_sentinel.config import schema
from celery_sentinel.state import file_lock, manager
from celery_sentinel.telemetry import subscription

if TYPE_CHECKING:
    import pathlib

HOLDER = """
import pathlib, sys
from celery_sentinel.state import file_lock
held = file_lock.FileLock(pathlib.Path(sys.argv[1]))
held.take()
print("held", flush=True)
sys.stdin.read()
"""


def opened(path: pathlib.Path, url: str = "redis://localhost") -> manager.StateManager:
    """Return the keeper of a daemon that starts."""
    config = schema.Config(broker=schema.Broker(url=url), state=schema.State(file=str(path)))
    kept, _ = manager.opened(config, subscription.Subscription(transport="redis", url=url))
    assert kept is not None
    return kept


def contents(directory: pathlib.Path) -> dict[str, bytes]:
    """Return every file of a directory."""
    return {each.name: each.read_bytes() for each in directory.iterdir()}


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nobody to end."""
    monkeypatch.setattr(manager, "PATIENCE", 0.0)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("url", ["redis://localhost", "redis://elsewhere"])
def test_a_second_daemon_changes_nothing(tmp_path: pathlib.Path, url: str) -> None:
    """It neither restores nor writes nor sets aside, says whose the file is, and counts that."""
    first = opened(tmp_path / "state")
    first.finish(exact=True)
    first = opened(tmp_path / "state")
    first.keep(b"# TYPE x counter\nx 5\n")
    (tmp_path / "state.new-under-way").touch()
    before = contents(tmp_path)

    second = opened(tmp_path / "state", url)
    second.keep(b"# TYPE x counter\nx 7\n")
    second.finish(exact=True)

    assert contents(tmp_path) == before
    assert not second.restored
    assert "is in use by another celery-sentinel, process " in (second.why_not or "")
    assert "give each daemon a file of its own" in (second.told().last_error or "")
    assert second.told().failures == 2
    first.finish(exact=True)
    assert first.told().failures == 0
    assert opened(tmp_path / "state").restored


@pytest.mark.usefixtures("hasty")
def test_a_link_is_the_same_file(tmp_path: pathlib.Path) -> None:
    """Who comes by another name finds it taken as well."""
    (tmp_path / "link").symlink_to(tmp_path / "state")
    first = opened(tmp_path / "state")
    assert "in use" in (opened(tmp_path / "link").why_not or "")
    first.finish(exact=True)
    assert opened(tmp_path / "link").restored


def test_one_that_is_about_to_end_is_waited_for(tmp_path: pathlib.Path) -> None:
    """The successor starts from the exact snapshot that the predecessor leaves."""
    first = opened(tmp_path / "state")
    found: list[manager.StateManager] = []
    successor = threading.Thread(target=lambda: found.append(opened(tmp_path / "state")))
    successor.start()
    first.finish(exact=True)
    successor.join(20)
    assert found[0].restored
    found[0].finish(exact=True)
    assert set(contents(tmp_path)) == {"state"}


def test_a_killed_daemon_holds_nothing(tmp_path: pathlib.Path) -> None:
    """The lock file stays behind and means nothing; until then it says who has it."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "state")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(file_lock.TakenError, match=f"process {holder.pid} on "):
            file_lock.FileLock(tmp_path / "state").take()
        holder.send_signal(signal.SIGKILL)
    assert (tmp_path / "state.lock").exists()
    file_lock.FileLock(tmp_path / "state").take()


@pytest.mark.parametrize("odd", ["missing", "directory", "link"])
def test_where_no_lock_can_be_had_nothing_is_claimed(tmp_path: pathlib.Path, odd: str) -> None:
    """That is no reason to go without a state file, nor to follow a link of somebody else."""
    path = tmp_path / "state"
    if odd == "missing":
        path = tmp_path / "missing" / "state"
    elif odd == "directory":
        (tmp_path / "state.lock").mkdir()
    else:
        (tmp_path / "state.lock").symlink_to(tmp_path / "victim")
    held = file_lock.FileLock(path)
    held.take()
    file_lock.FileLock(path).take()
    held.give_up()
    assert not (tmp_path / "victim").exists()
