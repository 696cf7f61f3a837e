"""Faults of workers: killed, frozen, all gone, out of time, mute; and what is meant to happen."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers import server

if TYPE_CHECKING:
    from tests.faults.scene import Scene

MUTE = {"events": {"enable": False}}
_SKEW = "+90"  # seconds
_LIBRARY = "faketime/libfaketime.so.1"


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


def all_gone(scene: Scene) -> None:
    """SIGKILL all workers, beside tasks that wait."""
    scene.daemon()
    victims = [scene.worker("w1"), scene.worker("w2", pool="threads")]
    scene.traffic("quick")
    scene.observe()
    # The first that is missed is told of where the next follows only after its group_wait.
    also = ("CeleryWorkerLost",)
    with scene.fault("all workers SIGKILLed", "CeleryNoWorkers", also=also):
        for victim in victims:
            victim.kill()


def meant(scene: Scene) -> None:
    """Stop one for good, then restart the others one after the other."""
    scene.daemon()
    leaver, *stayers = [scene.worker(name) for name in ("w1", "w2", "w3")]
    scene.traffic("slow", 0.5, every=0.4)
    scene.observe()
    with scene.fault("graceful stop of a worker"):
        leaver.stop()
    with scene.fault("rolling restart of the workers"):
        for stayer in stayers:
            stayer.restart()


def skewed(scene: Scene) -> None:
    """Turn the clock of one of two workers forward while it runs."""
    scene.daemon()
    scene.worker("w1")
    clock = scene.file("clock", "+0")
    scene.worker(
        "w2",
        environment={
            "LD_PRELOAD": str(_faketime()),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        },
    )
    scene.traffic("quick")
    scene.observe()
    jumped = scene.file("clock-jumped", _SKEW)
    with scene.fault("the clock of a worker jumps by 90 s", "CeleryWorkerClockSkew"):
        jumped.rename(clock)  # which is never found empty


def mute(scene: Scene) -> None:
    """Switch task events off in a worker; the daemon may not switch them on again.

    One that was started with ``--task-events`` cannot be switched off.
    """
    scene.daemon()
    scene.worker("w1", events=False)
    workers = scene.producer().app.control
    scene.traffic("quick", every=0.5)
    # It says that it is ready some time before Redis knows that it listens.
    scene.insist(lambda: workers.enable_events(reply=True))
    scene.observe()
    scene.until_started("quick", 10)
    with scene.fault("task events switched off in a worker", "CeleryWorkerEventsDisabled"):
        scene.insist(lambda: workers.disable_events(reply=True))


def calm(scene: Scene) -> None:
    """Let an hour pass, divided by the factor, with all that happens in an hour without a fault."""
    scene.daemon()
    old = [scene.worker(name) for name in ("w1", "w2", "w3")]
    scene.traffic("quick", every=0.3)
    scene.traffic("slow", 0.4, every=0.6)
    scene.traffic("retrying", 1, every=10)
    scene.traffic("failing", every=20)
    scene.observe()
    began = time.monotonic()
    with scene.fault("an hour without a fault"):
        for each in old:  # a rolling restart
            each.restart()
            scene.pause(10)
        old[0].stop()  # scale-in
        scene.pause(20)
        fresh = [scene.worker(name) for name in ("w4", "w5")]  # a deployment: new ones, then no old
        for each in old[1:]:
            each.stop()
        scene.pause(20)
        fresh[0].restart()
        scene.pause(max(0.0, 3600 / scene.factor - (time.monotonic() - began)))


def _faketime() -> Path:
    found = sorted(Path("/usr/lib").glob(f"*/{_LIBRARY}"))
    if not found:
        raise server.ServerError(
            f"/usr/lib/*/{_LIBRARY} is missing; run `make servers`, or as root: "
            "apt-get install faketime"
        )
    return found[0]
