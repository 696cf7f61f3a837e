"""All faults, and how they are run: each scene in a thread, most of them at once."""

from __future__ import annotations

import concurrent.futures
import contextlib
from typing import TYPE_CHECKING, NamedTuple

from tests.faults import of_workers, scene, tower
from tests.faults.results import Result
from tests.servers import reaper, redis

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable, Iterable


class Setting(NamedTuple):
    """A scene: what plays, by which factor, and whether CI has the time for it."""

    play: Callable[[scene.Scene], None]
    factor: int = scene.BRISK
    brief: bool = True


SETTINGS = {
    "killed": Setting(of_workers.killed),
    "frozen": Setting(of_workers.frozen),
    "all-gone": Setting(of_workers.all_gone),
}


def run(directory: pathlib.Path, names: Iterable[str]) -> list[Result]:
    """Run scenes by name, and return what became of their faults."""
    reaper.session_reaper()
    chosen = list(names)
    with contextlib.ExitStack() as stack:
        watch = stack.enter_context(tower.Tower(directory))
        server = redis.RedisServer(directory, extra_args=["--databases", str(len(chosen))])
        stack.enter_context(server)
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(len(chosen)))
        running = [
            pool.submit(_play, name, watch, directory, server.url_for(number))
            for number, name in enumerate(chosen)
        ]
        return [result for scene_ in running for result in scene_.result()]


def _play(
    name: str, watch: tower.Tower, directory: pathlib.Path, broker_url: str
) -> list[Result]:
    setting = SETTINGS[name]
    with scene.Scene(name, watch, directory, broker_url, factor=setting.factor) as stage:
        setting.play(stage)
        strays = stage.strays()
    if strays:
        stage.results.append(Result(f"{name}: before and after", (), false_alarms=strays))
    return stage.results
