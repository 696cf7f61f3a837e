"""Two daemons on one broker agree to the event, but for what one of them knows it missed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration import task_mix
from tests.servers import daemon
from tests.soak import conftest as soak
from tests.soak import disturbances, pair

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers import server
    from tests.soak.scene import Scene


def test_two_daemons_agree_to_the_event(
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    compose: Callable[[server.Broker], tuple[daemon.Daemon, Scene]],
) -> None:
    """Every counter and every bucket is the same in both, whatever workers and tasks do."""
    second = watch(broker.url, config=soak.CONFIG)
    first, scene = compose(broker)

    with scene.under_load():
        task_mix.send(scene.sending)
    scene.books.compare()
    disturbances.worker_comes_and_goes(scene)
    disturbances.worker_killed(scene, "forking")

    pair.wait_difference(first, second, {})
    assert daemon.total(second.scrape(), "celery_task_started_total")
