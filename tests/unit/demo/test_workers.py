"""The workers of the demo: who they are, and the one that comes and goes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from celery_sentinel.demo import process as demo_process, workers

if TYPE_CHECKING:
    from pathlib import Path


def test_two_steady_workers_differ_in_name_and_queues() -> None:
    """Both run on this host under names of their own, and no queue is consumed twice."""
    names = [worker.name for worker in workers.STEADY]
    queues = [queue for worker in workers.STEADY for queue in worker.queues]

    assert len(names) == len(set(names)) == 2
    assert len(queues) == len(set(queues)) == 4


def test_the_seasonal_worker_comes_and_goes(tmp_path: Path) -> None:
    """It is away at first, comes, is sent home, and is hired anew when its time has come."""
    hired: list[demo_process.DemoProcess] = []
    now = 0.0

    def hire() -> demo_process.DemoProcess:
        command = ["sleep", "600"]
        name = f"seasonal{len(hired)}"
        hired.append(
            demo_process.DemoProcess(
                "worker", name, command, directory=tmp_path, environment=os.environ
            )
        )
        return hired[-1]

    season = workers.Season(hire, clock=lambda: now)
    try:
        season.turn()
        assert hired == []

        now = workers.AWAY
        season.turn()
        season.turn()
        assert len(hired) == 1

        now += workers.PRESENT
        season.turn()
        demo_process.stop_together(hired, grace=60.0, hurry=lambda: False)
        assert hired[0].gone

        now += workers.AWAY
        season.turn()
        assert len(hired) == 2
    finally:
        for one in hired:
            one.kill()
