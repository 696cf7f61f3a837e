"""Under load, with everything around it dying and coming back, the daemon stays true and small."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from tests.servers import daemon
from tests.soak import disturbances, report

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers import promtool, server
    from tests.soak.scene import Scene

MINUTES = float(os.environ.get("SOAK_MINUTES", "2"))
# The disturbances that are under way when the time is over, and what is waited for at the end.
_GRACE_SECONDS = 480
# From then on the number of remembered tasks is steady.
_WARM_SECONDS = min(45.0, MINUTES * 20)
_MOST_GROWTH_KIB = 3 * 1024
_LEAST_SECONDS = 75.0  # in which it may grow by so much; in less it may by less


@pytest.mark.timeout(MINUTES * 60 + _GRACE_SECONDS)
def test_counts_stay_true_and_nothing_grows(
    own_broker: server.Broker,
    compose: Callable[[server.Broker], tuple[daemon.Daemon, Scene]],
    prom_tool: promtool.PromTool,
) -> None:
    """Brokers restart and freeze, workers die and come: counts, memory and sockets are right."""
    sentinel, scene = compose(own_broker)
    begun = time.monotonic()
    disturbances.calm(scene)
    before = scene.watching.held()

    kills, falls, warm = 0, 0, begun + _WARM_SECONDS
    for number, disturbance in enumerate(disturbances.in_turn(scene)):
        kills += disturbance.kills
        falls += disturbance.falls
        report.say(time.monotonic() - begun, disturbance.name, scene.books)
        scene.watching.check()
        if number < disturbances.KINDS:  # a part that is used for the first time takes memory
            warm = max(warm, time.monotonic())
        if time.monotonic() - begun > MINUTES * 60:
            break
    disturbances.calm(scene)

    scene.wait_nothing_runs()
    samples = scene.watching.latest
    assert kills <= (daemon.total(samples, "celery_worker_lost_total") or 0) <= kills + falls
    assert not daemon.total(samples, "celery_sentinel_caught_failures_total")
    assert not daemon.total(samples, "celery_sentinel_events_rejected_total")
    assert not prom_tool.complaints(sentinel.get("/metrics").content)
    growth = report.growth(scene, since=warm)
    scene.watching.wait_held(before)
    share = min(1.0, max(1 / 3, (time.monotonic() - warm) / _LEAST_SECONDS))
    assert growth < share * _MOST_GROWTH_KIB, f"memory has grown by {growth:.0f} KiB"
