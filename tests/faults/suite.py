"""All faults, and how they are run: each scene in a thread, most of them at once."""

from __future__ import annotations

import concurrent.futures
import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.faults import (
    of_brokers,
    of_queues,
    of_sentinels,
    of_tasks,
    of_workers,
    scene,
    tower,
)
from tests.faults.results import Result
from tests.servers import reaper, redis

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable, Iterable, Mapping


class Setting(NamedTuple):
    """A scene: what plays, by which factor, with what config, and whether CI has the time."""

    play: Callable[[scene.Scene], None]
    factor: int = tower.BRISK
    config: Mapping[str, Any] = {}
    brief: bool = True


WATCHDOG = "watchdog"  # what is judged beside the scenes
SETTINGS = {
    "calm": Setting(of_workers.calm, brief=False),
    "first-failures": Setting(of_tasks.first_failures, brief=False),
    "rabbitmq": Setting(of_brokers.on_rabbitmq, tower.STEADY, of_brokers.CONFIG, brief=False),
    "growing": Setting(of_queues.growing, config=of_queues.CONFIG, brief=False),
    "killed": Setting(of_workers.killed),
    "frozen": Setting(of_workers.frozen),
    "all-gone": Setting(of_workers.all_gone),
    "meant": Setting(of_workers.meant),
    "mixed": Setting(of_tasks.mixed, config=of_tasks.OBJECTIVES),
    "out-of-memory": Setting(of_tasks.out_of_memory, config=of_tasks.OBJECTIVES),
    "deserted": Setting(of_queues.deserted, config=of_queues.CONFIG),
    "redis-down": Setting(of_brokers.redis_down),
    "redis-restarted": Setting(of_brokers.redis_restarted, tower.STEADY),
    "redis-half-open": Setting(of_brokers.redis_half_open, tower.STEADY),
    "storm": Setting(of_sentinels.storm),
    "names": Setting(of_sentinels.names, config=of_sentinels.NAMES),
    "sentinel-restarted": Setting(of_sentinels.restarted, tower.STEADY, of_sentinels.KEPT),
    "pair": Setting(of_sentinels.pair),
    "skewed": Setting(of_workers.skewed),
    "mute": Setting(of_workers.mute, config=of_workers.MUTE),
    "poisoned": Setting(of_sentinels.poisoned),
}


def run(directory: pathlib.Path, names: Iterable[str]) -> dict[str, list[Result]]:
    """Play scenes by name, all at once; return what became of the faults of each."""
    reaper.session_reaper()
    chosen = list(names)
    with contextlib.ExitStack() as stack:
        watch = stack.enter_context(tower.Tower(directory))
        server = redis.RedisServer(directory, extra_args=["--databases", str(len(chosen))])
        stack.enter_context(server)
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(len(chosen)))
        running = {
            name: pool.submit(_play, name, watch, directory, server.url_for(number))
            for number, name in enumerate(chosen)
        }
        found = {name: future.result() for name, future in running.items()}
        return {**found, WATCHDOG: [_watchdog(watch)]}


def _play(name: str, watch: tower.Tower, directory: pathlib.Path, broker_url: str) -> list[Result]:
    setting = SETTINGS[name]
    with scene.Scene(
        name, watch, directory, broker_url, factor=setting.factor, config=setting.config
    ) as stage:
        try:
            setting.play(stage)
        except Exception as error:  # noqa: BLE001 - the table shall say so, and the others go on
            message = f"{type(error).__name__}: {error}"
            stage.results.append(Result(f"{name}: not played", (), error=message))
        unmatched = stage.unmatched()
    if unmatched:
        stage.results.append(Result(f"{name}: before and after", (), false_alarms=unmatched))
    return stage.results


def _watchdog(watch: tower.Tower) -> Result:
    """Judge what concerns no fleet: the watchdog has to arrive, and nothing else may."""
    result = Result("no fault at all: the watchdog", ("CeleryWatchdog",))
    result.received = ["CeleryWatchdog"] if watch.watchdog_arrived() else []
    result.false_alarms = sorted(watch.unowned())
    return result
