"""Faults of celery-sentinel itself, and of what it reads."""

from __future__ import annotations

import json
import shutil
import uuid
from typing import TYPE_CHECKING

from tests.integration import hostile
from tests.servers import deadline, flood

if TYPE_CHECKING:
    from tests.faults.scene import Scene

NAMES = {"metrics": {"zero_born_hold": "5s", "limits": {"names": 50}}}
_BUFFER = ("--client-output-buffer-limit", "pubsub", "16mb", "0", "0")  # half of Redis' own
_KEPT = 10_000  # events
_TOO_MANY = 60_000  # more than that, however much the sockets take
KEPT = {"state": {"interval": "1s"}}
_UNHEARD = 12  # starts; CelerySentinelLosingEvents speaks from 5 on


def _known(found: float | None) -> bool:
    """Tell whether Prometheus has seen that the workers are held to account."""
    return found is not None


def restarted(scene: Scene) -> None:
    """SIGKILL the only sentinel and start it again: with its state file, and without."""
    state = scene.directory("state")
    sentinel = scene.daemon(None, "--state.file", str(state / "state"))
    busy = scene.worker("w1")
    scene.traffic("slow", 0.3, every=0.5)
    scene.observe()
    scene.until(f'sum(celery_sentinel_events_missed_total{{job="{scene.job}"}})', _known, "starts")
    with scene.fault("sentinel killed and restarted, with its state", watch=75.0):
        sentinel.kill()
        enough = busy.truth.outcomes()["started"] + _UNHEARD
        deadline.wait_until(lambda: busy.truth.outcomes()["started"] >= enough, 60, "tasks ran")
        sentinel.start()
    with scene.fault("sentinel killed and restarted, without", watch=75.0):
        sentinel.kill()
        shutil.rmtree(state)
        sentinel.start()


def pair(scene: Scene) -> None:
    """SIGKILL one of a pair; then a worker, so that the other has to tell."""
    scene.daemon()
    second = scene.daemon()
    scene.worker("w1")
    victim = scene.worker("w2", pool="threads")
    scene.traffic("quick")
    scene.observe()
    with scene.fault("one of a pair of sentinels down", "CelerySentinelDown"):
        second.kill()
    with scene.fault("a worker SIGKILLed, one of the pair down", "CeleryWorkerLost"):
        victim.kill()


def poisoned(scene: Scene) -> None:
    """Publish what cannot be read, then more names than anybody can watch."""
    broker = scene.own_redis()
    scene.daemon()
    scene.worker("w1")
    scene.traffic("quick")
    scene.observe()
    with scene.fault("poisoned events", "CelerySentinelLosingEvents"):
        publisher = hostile.Publisher(broker)
        for number in range(20):
            publisher.publish(b"\x80\x04]q\x00.", content_type="application/x-python-serialize")
            publisher.publish(json.dumps({"type": "task-received", "uuid": number}).encode())
            publisher.publish_raw(b"{" * number)
            publisher.publish(b"\xff" * 100_000)
        publisher.close()


def names(scene: Scene) -> None:
    """Send tasks whose names hold an id."""
    scene.daemon()
    scene.worker("w1")
    sender = scene.producer()
    scene.traffic("quick")
    scene.observe()
    with (
        scene.fault("event storm of new names", "CelerySentinelLabelOverflow"),
        sender.app.events.default_dispatcher(hostname="storm@fleet") as dispatcher,
    ):
        for number in range(300):
            dispatcher.send("task-received", uuid=str(uuid.uuid4()), name=f"order-{number}")


def storm(scene: Scene) -> None:
    """Send a burst that is kept; then one that is cut off, for the sentinel stands still."""
    broker = scene.own_redis(*_BUFFER)
    sentinel = scene.daemon()
    scene.worker("w1")
    scene.traffic("quick")
    scene.observe()
    with scene.fault("event storm, kept"), flood.Flood(broker.url) as burst:
        burst.publish(flood.events(_KEPT))
    with (
        scene.fault("event storm, cut off by the broker", "CelerySentinelLosingEvents"),
        flood.Flood(broker.url) as burst,
    ):
        bodies = flood.events(_TOO_MANY, of="b")
        sentinel.pause()
        burst.publish(bodies)
        sentinel.resume()
