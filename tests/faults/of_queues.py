"""Faults of queues, in one fleet, told apart by the name of the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.scene import Scene

CONFIG = {
    "queues": {"dead_letter": ["failed"]},
    "objectives": {"queues": [{"match": "growing", "length": 500}]},
}
_LONG = 240.0


def deserted(scene: Scene) -> None:
    """Leave a queue without consumers, and put a dead letter into another."""
    scene.daemon()
    scene.worker("w1", pool="threads")
    leaver = scene.worker("w2", queues=["orphan"], pool="threads")
    sender = scene.producer()
    scene.traffic("quick")
    scene.traffic("quick", queue="orphan")
    scene.observe()

    def orphan(scene: Scene) -> None:
        about = {"queue_name": "orphan"}
        with scene.fault("queue without consumers", "CeleryQueueNoConsumers", about=about):
            leaver.stop()

    def dead_letter(scene: Scene) -> None:
        about = {"queue_name": "failed"}
        with scene.fault("a dead letter", "CeleryDeadLetters", about=about):
            sender.send("quick", queue="failed")

    scene.together(orphan, dead_letter)


def growing(scene: Scene) -> None:
    """Send three times as much as is worked off."""
    scene.daemon()
    scene.worker("w1", queues=["growing"], concurrency=1, pool="threads")
    scene.observe()
    about = {"queue_name": "growing"}
    also = ("CeleryWorkersSaturated",)  # why it grows
    with scene.fault("backlog growing", "CeleryQueueGrowing", about=about, also=also, within=_LONG):
        scene.traffic("slow", 1, every=0.3, queue="growing")
