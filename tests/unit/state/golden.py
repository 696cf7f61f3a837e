"""Writes what the test of older state files reads: `python -m tests.unit.state.golden`.

Once for each version of the format, with the program that wrote that version.
"""

from __future__ import annotations

import json
import pathlib

from celery_sentinel.state import file as state_file, manager, schema as state_schema
from tests.unit.fleet import stage
from tests.unit.state import restarts, test_round_trip

HERE = pathlib.Path(__file__).parent
AWAY = 200.0  # seconds


def played() -> stage.Stage:
    """Return a stage with something of everything, and no two counts alike."""
    play = test_round_trip.full_stage()
    ends = ("succeeded", "failed", "retried", "revoked", "rejected", "cancelled")
    for times, end in enumerate(ends, start=3):
        for number in range(times):
            uuid = f"{end}-{number}"
            play.sent(uuid, at=10)
            play.received(uuid, at=11)
            play.started(uuid, at=12 + number)
            play.ended(end, uuid, at=20 + times * number, runtime=0.1 * times, exception="E()")
    for number in range(11):
        play.received("delivered-twice", at=30 + number)
    for number in range(2):
        play.hear("task-started", uuid=f"orphan-{number}", hostname="w1@host", pid=7, clock=number)
    play.beat("w1@host", processed=9, clock=50)
    return play


def shown(play: stage.Stage) -> dict[str, object]:
    """Return every sample in a form that JSON keeps."""
    found = {}
    for (metric, labels), value in restarts.shown(play).items():
        parts = [*value] if isinstance(value, tuple) else value
        found[" ".join((metric, *labels))] = json.loads(json.dumps(parts))
    return dict(sorted(found.items()))


def kept(path: pathlib.Path) -> state_file.Store:
    """Return the store of a file as the daemon opens it."""
    return state_file.Store(
        str(path),
        magic=manager.MAGIC,
        version=state_schema.VERSION,
        largest=state_file.largest(1000),
    )


def restored(path: pathlib.Path) -> stage.Stage:
    """Return the stage of a daemon that starts with that file some minutes later."""
    return restarts.restored(kept(path).read() or (), stage.Stage(), None, away=AWAY)


def main() -> None:
    """Write state and expectation."""
    path = HERE / f"version-{state_schema.VERSION}.state"
    kept(path).write(restarts.frames(played()))
    expected = shown(restored(path))
    path.with_suffix(".json").write_text(json.dumps(expected, indent=0) + "\n")


if __name__ == "__main__":
    main()
