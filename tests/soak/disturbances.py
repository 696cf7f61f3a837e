"""What a fleet lives through, each under load and followed by a comparison of the books."""

from __future__ import annotations

import collections
import itertools
import time
from typing import TYPE_CHECKING, NamedTuple

from tests.soak import fleet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import daemon
    from tests.soak.scene import Scene

FREEZES = (8.0, 4.0, 25.0)  # seconds: with and without a break of the stream
KINDS = 6  # of disturbances, calm among them
ABSENCE = 2.0  # seconds between the end of the broker and its new start


class Done(NamedTuple):
    """What has happened, and how many workers were killed by it, or fell in it by themselves."""

    name: str
    kills: int = 0
    falls: int = 0


def calm(scene: Scene) -> None:
    """Let nothing happen but work."""
    with scene.under_load():
        scene.load.wait_for(60)
    scene.books.compare()


def worker_comes_and_goes(scene: Scene) -> None:
    """Add a worker, let it work, and stop it with SIGTERM: nothing is lost by either."""
    with scene.under_load():
        added = scene.workers.add()
        scene.wait_all_up()
        scene.load.wait_for(24)
        added.stop()
        scene.load.wait_for(12)
        scene.wait_all_up()
    scene.books.compare()


def worker_killed(scene: Scene, name: str, witness: daemon.Daemon | None = None) -> None:
    """Kill a worker in its work, see it down, and bring it back.

    A ``witness`` is another daemon that has to see it down, too.
    """
    victim = scene.workers.by_name[name]
    others = dict.fromkeys(scene.workers.living, 1.0)
    with scene.under_load():
        known = victim.truth.outcomes()
        scene.load.wait_for(24)  # two seconds, in which it sends what it had known
        victim.kill()
        tail = victim.truth.outcomes() - known
        scene.wait_up({**others, victim.hostname: 0.0}, witness)
        victim.start()
        scene.wait_all_up()
        scene.load.wait_for(24)
    scene.books.compare_after_kill(tail, fleet.CREW[name][1])


def broker_frozen(scene: Scene, seconds: float) -> None:
    """Hold the broker still, its connections open, and let it go on."""
    with scene.under_load():
        scene.load.wait_for(12)
        scene.broker.pause()
        try:
            time.sleep(seconds)  # the disturbance itself
        finally:
            scene.broker.resume()
        scene.wait_all_up()
        scene.load.wait_for(24)
    scene.books.compare()


def cut_off(scene: Scene) -> None:
    """Take the broker from the daemon alone: the workers go on, and what they do is missed."""
    with scene.under_load():
        scene.load.wait_for(12)
        scene.cable.cut()
        scene.load.wait_for(24)
        scene.cable.mend()
        scene.wait_all_up()
        scene.load.wait_for(24)
    scene.books.compare()


def broker_restarted(scene: Scene) -> int:
    """End the broker and start it on the same port; everybody comes back.

    But for a worker that kombu 5 kills: with unacknowledged messages it may find, when Redis has
    gone, that its connection has no host any more (AttributeError in restore_unacked). What it
    had begun since its last heartbeat nobody can know. Return how many fell so; they are back.
    """
    known = {name: one.truth.outcomes() for name, one in scene.workers.by_name.items()}
    with scene.under_load():
        scene.load.wait_for(12)
        scene.broker.stop()
        time.sleep(ABSENCE)  # the disturbance itself
        scene.broker.start()
        fallen = scene.revive()
        scene.load.wait_for(24)
    fallen |= scene.revive()
    tail: collections.Counter[str] = collections.Counter()
    for name in fallen:
        tail += scene.workers.by_name[name].truth.outcomes() - known[name]
    scene.books.compare(tail=tail, running=sum(fleet.CREW[name][1] for name in fallen))
    return len(fallen)


def in_turn(scene: Scene) -> Iterator[Done]:
    """Disturb, for ever; each is yielded when its books are closed."""
    victims, freezes = itertools.cycle(fleet.CREW), itertools.cycle(FREEZES)
    while True:
        victim, seconds = next(victims), next(freezes)
        worker_comes_and_goes(scene)
        yield Done("a worker came and went")
        worker_killed(scene, victim)
        yield Done(f"{victim} was killed", kills=1)
        broker_frozen(scene, seconds)
        yield Done(f"the broker stood still for {seconds:g} s")
        cut_off(scene)
        yield Done("the daemon was cut off")
        falls = broker_restarted(scene)
        yield Done(f"the broker was restarted, and {falls} fell", falls=falls)
        calm(scene)
        yield Done("calm")
