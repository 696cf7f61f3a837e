"""Faults of tasks. Those of one fleet go on side by side, told apart by the name of the task."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from tests.servers import deadline, process

if TYPE_CHECKING:
    from tests.faults.scene import Scene
    from tests.servers import worker

OBJECTIVES = {
    "objectives": {
        "tasks": [
            {"match": "endless", "stuck_seconds": 10},
            {"match": "sluggish", "runtime_seconds": 0.5},
            # With its whole name it would be missed from the start.
            {"match": "periodic*", "silence_seconds": 10},
            {"match": "dying", "minimum_runs": 5},
        ]
    }
}
_LONG = 600.0  # seconds; longer than anything here


def mixed(scene: Scene) -> None:
    """Let six tasks go wrong in six ways."""
    scene.daemon()
    scene.worker("w1", pool="threads", concurrency=8)
    scene.observe()
    scene.together(_spike, _rare, _endless, _sluggish, _stormy, _periodic)


def first_failures(scene: Scene) -> None:
    """Let tasks fail for the first time, once the fleet is known for an hour (scaled)."""
    scene.daemon()
    victim = scene.worker("w1", concurrency=1, queues=["oom"])
    scene.worker("w2", pool="threads")
    sender = scene.producer()
    scene.traffic("virgin", False, every=2)
    scene.traffic("rare", False, every=5)
    scene.observe()
    sender.send("rare", True)
    hour = f"{3600 / scene.factor:g}s"
    scene.until(
        f'last_over_time(job:celery_broker_up:max{{job="{scene.job}"}}[5m] offset {hour})',
        lambda found: found == 1,
        "an hour of history",
        within=_LONG,
    )

    def first(scene: Scene) -> None:
        about = {"name": "virgin"}
        with scene.fault("first failure ever of a task", "CeleryTaskNewException", about=about):
            sender.send("virgin", True)

    def again(scene: Scene) -> None:
        with scene.fault("one failure of a rare task, not its first", about={"name": "rare"}):
            sender.send("rare", True)

    def killed(scene: Scene) -> None:
        about = {"name": "endless"}
        with scene.fault("child OOM-killed, once", "CeleryTaskNewException", about=about):
            sender.send("endless", _LONG, queue="oom")
            _kill_child(victim)

    scene.together(first, again, killed)


def out_of_memory(scene: Scene) -> None:
    """Let the children of a worker be killed by SIGKILL again and again."""
    scene.daemon()
    scene.worker("w1")
    scene.traffic("quick")
    scene.observe()
    expected = "CeleryTaskFailuresByInfrastructure"
    with scene.fault("children OOM-killed again and again", expected):
        scene.traffic("dying", every=0.7)


def _spike(scene: Scene) -> None:
    healthy = scene.traffic("spike", False, every=0.25)
    scene.until_started("spike", 20)
    about = {"name": "spike"}
    # The exception is new as well, if the fleet has been known for long enough to tell.
    also = ("CeleryTaskNewException",)
    with scene.fault("failure spike", "CeleryTaskFailureRatioHigh", about=about, also=also):
        healthy.stop()
        scene.traffic("spike", True, every=0.25)


def _rare(scene: Scene) -> None:
    sender = scene.producer()
    scene.traffic("rare", False, every=5)
    scene.until_started("rare", 2)
    with scene.fault("one failure of a rare task", about={"name": "rare"}):
        sender.send("rare", True)


def _endless(scene: Scene) -> None:
    sender = scene.producer()
    about = {"name": "endless"}
    with scene.fault("a task that never ends", "CeleryTaskStuck", about=about, objective=10):
        sender.send("endless", _LONG)


def _sluggish(scene: Scene) -> None:
    swift = scene.traffic("sluggish", 0.05, every=0.5)
    scene.until_started("sluggish", 10)
    with scene.fault("p95 over its objective", "CeleryTaskRuntimeHigh", about={"name": "sluggish"}):
        swift.stop()
        scene.traffic("sluggish", 0.9, every=0.5)


def _stormy(scene: Scene) -> None:
    calm = scene.traffic("stormy", 0, every=0.5)
    scene.until_started("stormy", 10)
    with scene.fault("retry storm", "CeleryTaskRetryStorm", about={"name": "stormy"}):
        calm.stop()
        scene.traffic("stormy", 5, every=0.7)


def _periodic(scene: Scene) -> None:
    schedule = scene.traffic("periodic", every=1)
    scene.until_started("periodic", 5)
    about = {"name": "periodic"}
    title = "a periodic task gone silent"
    with scene.fault(title, "CeleryTaskSilent", about=about, objective=10):
        schedule.stop()


def _kill_child(victim: worker.CeleryWorker) -> None:
    """Do to the child what the kernel does when memory runs out."""
    deadline.wait_until(lambda: victim.truth.outcomes()["started"], 30, "the task is started")
    children = process.group_states(victim.pid).keys() - {victim.pid}
    for child in children:
        os.kill(child, signal.SIGKILL)
