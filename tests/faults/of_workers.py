"""Faults of workers: killed, frozen, all gone; and what is no fault, since it is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.scene import Scene


def killed(scene: Scene) -> None:
    """SIGKILL one of two workers on a host."""
    scene.daemon()
    scene.worker("w1")
    victim = scene.worker("w2")
    scene.traffic("quick")
    scene.observe()
    with scene.fault("one of two workers on a host SIGKILLed", "CeleryWorkerLost"):
        victim.kill()


def frozen(scene: Scene) -> None:
    """SIGSTOP one of two workers."""
    scene.daemon()
    scene.worker("w1")
    victim = scene.worker("w2", queues=["other"])
    scene.traffic("quick")
    scene.observe()
    with scene.fault("one of two workers SIGSTOPped", "CeleryWorkerLost"):
        victim.pause()
    victim.resume()


def all_gone(scene: Scene) -> None:
    """SIGKILL all workers, beside tasks that wait."""
    scene.daemon()
    victims = [scene.worker("w1"), scene.worker("w2", pool="threads")]
    scene.traffic("quick")
    scene.observe()
    with scene.fault("all workers SIGKILLed", "CeleryNoWorkers"):
        for victim in victims:
            victim.kill()
