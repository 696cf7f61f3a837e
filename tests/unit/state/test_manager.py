"""The thread that takes snapshots gives way, gives up when told to, and says when it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.config import schema
from celery_sentinel.state import manager
from celery_sentinel.telemetry import subscription
from tests.servers import deadline

if TYPE_CHECKING:
    import pathlib


def opened(path: pathlib.Path) -> manager.StateManager:
    """Return a keeper with a file of its own."""
    config = schema.Config(state=schema.State(file=str(path)))
    kept, _ = manager.opened(config, subscription.Subscription(transport="redis", url="redis://"))
    assert kept is not None
    return kept


def test_without_a_file_there_is_no_keeper() -> None:
    """Nothing is kept, and nothing is counted for it."""
    connection = subscription.Subscription(transport="redis", url="redis://")
    kept, _ = manager.opened(schema.Config(), connection)
    assert kept is None
    assert "state" not in connection.failures


def test_a_stop_abandons_the_snapshot_under_way(tmp_path: pathlib.Path) -> None:
    """The thread ends though the model is held, leaves no file behind, and counts no failure."""
    kept = opened(tmp_path / "state")
    with kept.fleet.lock:
        kept.thread.start()
        deadline.wait_until(lambda: list(tmp_path.glob("state.new-*")), 60, "a snapshot began")
        kept.stop()
        assert kept.told().snapshot_age_seconds is None
    kept.thread.join(60)
    assert not kept.thread.is_alive()
    assert [each.name for each in tmp_path.iterdir()] == ["state.lock"]
    assert kept.told().failures == 0


def test_the_last_snapshot_is_taken_after_a_stop(tmp_path: pathlib.Path) -> None:
    """What is abandoned is made up for by the exact one, which the next start restores."""
    kept = opened(tmp_path / "state")
    kept.stop()
    kept.finish(exact=True)
    assert opened(tmp_path / "state").restored


def test_a_failure_is_told_until_it_is_over(tmp_path: pathlib.Path) -> None:
    """A directory that comes and goes shows in the failures and in the last error."""
    kept = opened(tmp_path / "missing" / "state")
    kept.finish(exact=True)
    kept.keep(b"shown")
    assert kept.told().failures == 2
    assert "No such file or directory" in (kept.told().last_error or "")
    (tmp_path / "missing").mkdir()
    kept.finish(exact=True)
    kept.keep(b"shown")
    assert kept.told().last_error is None
    assert kept.told().failures == 2


def test_what_was_shown_is_of_the_same_line_or_not_believed(tmp_path: pathlib.Path) -> None:
    """Counters that began anew are not raised to what other ones had shown."""
    body = b"# TYPE x counter\nx 5\n"
    kept = opened(tmp_path / "state")
    kept.keep(body)
    kept.finish(exact=True)
    again = opened(tmp_path / "state")
    assert again.before is not None
    assert again.before.take(["x"]) == [5]
    again.finish(exact=True)
    (tmp_path / "state").unlink()
    anew = opened(tmp_path / "state")
    assert anew.before is None
    assert not (tmp_path / "state.shown").exists()


def test_a_broken_memory_of_what_was_shown_costs_no_more_than_that(tmp_path: pathlib.Path) -> None:
    """The state is restored without it, and the failure is counted."""
    kept = opened(tmp_path / "state")
    kept.keep(b"# TYPE x counter\nx 5\n")
    kept.finish(exact=True)
    (tmp_path / "state.shown").write_bytes(b"garbage")
    again = opened(tmp_path / "state")
    assert (again.restored, again.before, again.told().failures) == (True, None, 1)
