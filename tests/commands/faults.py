"""What becomes of a fleet, one fault after the other; each ends when all is well again."""

from __future__ import annotations

import itertools
import signal
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.commands.scene import Scene

SECONDS = (6.0, 12.0, 25.0)  # of a fault, in turn
_STOPPED, _RUNNING = 1.25, 0.35  # seconds of a slow worker, whose answers come late
_ABSENT = 2.0  # seconds between the end of a broker and its new start


def slow_and_silent(scene: Scene, seconds: float) -> None:
    """Let the first worker answer late and the second not at all."""
    slow, silent = scene.workers
    until = time.monotonic() + seconds
    silent.pause()
    try:
        while time.monotonic() < until:
            slow.process.send(signal.SIGSTOP)
            time.sleep(_STOPPED)  # the fault itself, as everywhere in this file
            slow.process.send(signal.SIGCONT)
            time.sleep(_RUNNING)
    finally:
        slow.resume()
        silent.resume()


def host_frozen(scene: Scene, seconds: float) -> None:
    """Freeze the host of the broker and of a worker."""
    host = (scene.broker, scene.workers[1])
    for one in host:
        one.pause()
    try:
        time.sleep(seconds)
    finally:
        for one in host:
            one.resume()


def broker_restarted(scene: Scene, _: float) -> None:
    """End the broker and start it again."""
    scene.broker.stop()
    time.sleep(_ABSENT)
    scene.broker.start()


def worker_killed(scene: Scene, _: float) -> None:
    """Kill the second worker; it comes back."""
    scene.workers[1].kill()
    scene.workers[1].start()


def daemons_cut_off(scene: Scene, seconds: float) -> None:
    """Take the broker from both daemons."""
    cables = [cable for watcher in scene.watchers for cable in watcher.cables]
    for cable in cables:
        cable.cut()
    time.sleep(seconds / 2)
    for cable in cables:
        cable.mend()


def daemons_killed(scene: Scene, _: float) -> None:
    """Kill both daemons, which have no time for a goodbye, and start them again."""
    for watcher in scene.watchers:
        watcher.read_log()
        watcher.daemon.kill()
        watcher.daemon.start()


ALL: tuple[Callable[[Scene, float], None], ...] = (
    slow_and_silent,
    host_frozen,
    broker_restarted,
    worker_killed,
    daemons_cut_off,
    daemons_killed,
)


# A worker that loses its broker takes up again, itself, what it had held.
OF_THE_BROKER = frozenset({host_frozen.__name__, broker_restarted.__name__})


def until(scene: Scene, end: float) -> Iterator[str]:
    """Cause all faults in turn, until the (monotonic) end but each at least once; yield names."""
    for number, seconds in enumerate(itertools.cycle(SECONDS)):
        for fault in ALL:
            if number and time.monotonic() > end:
                return
            fault(scene, seconds)
            yield fault.__name__
            scene.recover()
