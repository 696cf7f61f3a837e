"""Two daemons on one broker agree to the event, but for what one of them knows it missed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration import task_mix
from tests.servers import daemon
from tests.soak import conftest as soak, disturbances, pair

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import rabbitmq, server
    from tests.soak.scene import Scene

# Each takes a minute, on a busy machine two.
pytestmark = pytest.mark.timeout(420)


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
    disturbances.worker_killed(scene, "forking", witness=second)

    pair.wait_difference(first, second, {})
    assert daemon.total(second.scrape(), "celery_task_started_total")


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_one_that_restarts_lacks_what_its_gap_says(
    end: str,
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    compose: Callable[[server.Broker], tuple[daemon.Daemon, Scene]],
    new_directory: conftest.Directories,
) -> None:
    """After SIGTERM and SIGKILL the other is ahead by the gap: started tasks by those missed."""
    state = new_directory("state") / "state"
    config, file = f"{soak.CONFIG}state: {{interval: 1s}}\n", ["--state.file", str(state)]
    second = watch(broker.url, config=config, args=file)
    first, scene = compose(broker)
    disturbances.calm(scene)
    pair.wait_difference(first, second, {})

    with scene.under_load():
        scene.load.wait_for(24)
        away = pair.restart(second, end, scene.load, state)
        scene.load.wait_for(24)
    scene.books.compare()
    pair.wait_explained(first, second)
    lacking = pair.difference(first.scrape(), second.scrape())

    assert all(more >= 0 for more in pair.by_metric(lacking).values())
    samples = second.scrape()
    gap = daemon.total(samples, "celery_sentinel_stream_gap_seconds_total") or 0.0
    assert daemon.total(samples, "celery_sentinel_stream_gaps_total", reason="restart") == 1
    assert away.shortest <= gap <= away.longest
    disturbances.calm(scene)
    pair.wait_difference(first, second, lacking)


def test_one_with_a_durable_queue_lacks_nothing_after_a_restart(
    rabbitmq_server: rabbitmq.RabbitServer,
    watch: Callable[..., daemon.Daemon],
    compose: Callable[[server.Broker], tuple[daemon.Daemon, Scene]],
    new_directory: conftest.Directories,
) -> None:
    """What waited in the queue is counted after the restart, and the break is no gap."""
    state = new_directory("state") / "state"
    durable = "broker: {durable_events: true}\nevents: {queue_name: celeryev.second}\n"
    file = ["--state.file", str(state)]
    second = watch(rabbitmq_server.url, config=soak.CONFIG + durable, args=file)
    first, scene = compose(rabbitmq_server)

    with scene.under_load():
        scene.load.wait_for(24)
        pair.restart(second, "stop", scene.load, state)
        scene.load.wait_for(24)
    scene.books.compare()

    pair.wait_difference(first, second, {})
    samples = second.scrape()
    assert daemon.total(samples, "celery_sentinel_stream_gaps_total") == 0
    assert daemon.total(samples, "celery_sentinel_stream_resumptions_total") == 1
    assert daemon.total(samples, pair.MISSED) == 0
