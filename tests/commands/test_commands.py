"""Through every fault, the daemon sends a broker nothing that is not on the list in the docs."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from tests.commands import faults, report

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.commands.scene import Scene

MINUTES = float(os.environ.get("COMMANDS_MINUTES", "1"))
_GRACE_SECONDS = 480  # the faults that are under way when the time is over


@pytest.mark.timeout(MINUTES * 60 + _GRACE_SECONDS)
def test_nothing_is_sent_that_is_not_listed(own_broker: Callable[[], Scene]) -> None:
    """All commands are on the list, none is refused, the log tells changes, messages stay."""
    scene = own_broker()
    begun = time.monotonic()
    damage: list[str] = []
    for fault in faults.until(scene, begun + MINUTES * 60):
        report.say(time.monotonic() - begun, fault, scene)
        if fault not in faults.OF_THE_BROKER:
            damage += scene.damage()
    for watcher in scene.watchers:
        watcher.daemon.stop()
        watcher.read_log()
    report.show(time.monotonic() - begun, scene)

    recordings = [heard for watcher in scene.watchers for heard in watcher.recordings]
    assert {text: count for heard in recordings for text, count in heard.unmatched.items()} == {}
    assert {text: count for heard in recordings for text, count in heard.refused.items()} == {}
    assert damage == []
    assert [line for watcher in scene.watchers for line in watcher.repeats] == []
    assert all(heard.total for heard in recordings)
