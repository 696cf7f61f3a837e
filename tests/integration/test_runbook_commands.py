"""Every command of the runbooks works: run as written, on a fleet that is in trouble."""

from __future__ import annotations

import contextlib
import os
from concurrent import futures
from typing import TYPE_CHECKING

import pytest

from tests.integration import conftest as shared
from tests.runbooks import fleet, pages
from tests.servers import alertmanager, daemon, deadline, rabbitmq, worker

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from tests import conftest
    from tests.servers import redis, server

    Tried = dict[str, subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.timeout(600)

CONFIG = """
metrics: {zero_born_hold: 0s}
queues: {watch: [reports], dead_letter: [reports.dead]}
polling: {workers: 2s}
"""
NO_RECEIVER = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"
# How programs say that they failed although they end with 0.
FAILED = ("ERROR", "Error:", "(error)", "Traceback", "WRONGTYPE", "unknown command")


def try_all(
    name: str, broker: server.Broker, make: Callable[[str], Path], environment: dict[str, str]
) -> Tried:
    """Start worker, sentinel and Alertmanager on ``broker``; try the commands meant for it.

    Those that only look run side by side, for most of them wait for answers.
    """
    with contextlib.ExitStack() as stack:
        config = make("daemon") / "config.yml"
        config.write_text(CONFIG)
        sentinel = stack.enter_context(
            daemon.Daemon(config.parent, broker.url, args=["--config.file", str(config)])
        )
        shared.wait_up(sentinel)
        routes = make("alertmanager") / "alertmanager.yml"
        routes.write_text(NO_RECEIVER)
        warden = stack.enter_context(alertmanager.Alertmanager(routes.parent, routes))
        queues = [fleet.QUEUE, "celery"]
        celery_worker = stack.enter_context(
            worker.CeleryWorker(make("worker"), broker.url, queues=queues)
        )
        trouble = fleet.TroubledFleet(
            broker,
            celery_worker,
            environment={**environment, "SENTINEL": sentinel.url, "ALERTMANAGER": warden.url},
        )
        deadline.wait_until(lambda: knows(sentinel), 120, "the daemon knows of the trouble")
        look = list(pages.commands(changes=False, broker=name))
        with futures.ThreadPoolExecutor(3) as pool:
            tried = dict(zip(look, pool.map(trouble.run, look), strict=True))
        for command in pages.commands(changes=True, broker=name):
            tried[command] = trouble.run(command)
            trouble.fill()
        return tried


def knows(sentinel: daemon.Daemon) -> bool:
    """Tell whether the daemon has heard of the worker and its tasks, and of what waits."""
    samples = sentinel.scrape()
    waiting = [
        daemon.total(samples, "celery_queue_length", queue_name=name)
        for name in (fleet.QUEUE, fleet.DEAD)
    ]
    told = ("celery_worker_responding", "celery_task_received_total")
    return all([*waiting, *(daemon.total(samples, name) for name in told)])


def failed(tried: Tried) -> str:
    """Return the commands that failed, by their exit code or by what they said, with that."""
    return "\n".join(
        f"{command}exited {done.returncode}:\n{done.stdout}{done.stderr}"
        for command, done in tried.items()
        if done.returncode != 0 or any(word in done.stdout + done.stderr for word in FAILED)
    )


# One test for all commands of a broker, which share their fleet: with a test for each, xdist
# would start a fleet in every process.
def test_every_command_works(
    redis_server: redis.RedisServer, new_directory: conftest.Directories
) -> None:
    """It ends with 0 and reports no error; those without a broker's mark are tried on Redis."""
    tried = try_all(pages.REDIS, redis_server, new_directory, {})
    assert len(tried) > len(pages.PAGES)
    assert failed(tried) == ""


def test_every_command_for_rabbitmq_works(
    rabbitmq_server: rabbitmq.RabbitServer,
    new_directory: conftest.Directories,
) -> None:
    """It ends with 0 and reports no error."""
    environment = {**rabbitmq_server.environment, "VHOST": rabbitmq_server.vhost}
    environment["PATH"] = f"{rabbitmq.SCRIPTS}:{fleet.PATH}:{os.environ['PATH']}"
    tried = try_all(pages.RABBITMQ, rabbitmq_server, new_directory, environment)
    assert len(tried) > 20
    assert failed(tried) == ""
