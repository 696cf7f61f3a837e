"""Every command of the runbooks works: run as written, on a fleet that is in trouble."""

from __future__ import annotations

import contextlib
import os
from concurrent import futures
from typing import TYPE_CHECKING

import pytest

from tests.runbooks import fleet, pages
from tests.servers import alertmanager, daemon, rabbitmq, redis, worker

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from tests.servers import server

    Tried = dict[str, subprocess.CompletedProcess[str]]

# The first test of each broker waits for all its commands.
pytestmark = pytest.mark.timeout(600)

CONFIG = """
metrics: {zero_born_hold: 0s}
queues: {watch: [reports], dead_letter: [reports.dead]}
polling: {workers: 2s}
"""
NO_RECEIVER = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"
# How programs say that they failed although they end with 0.
FAILED = ("ERROR", "Error:", "(error)", "Traceback", "WRONGTYPE", "unknown command")


def parameters(broker: str) -> list[object]:
    """Return the commands of all pages for one broker: those that look, then those that change."""
    return [
        pytest.param(text, id=f"{block.page}: {text.strip().splitlines()[0][:70]}")
        for changes in (False, True)
        for text, block in pages.commands(changes=changes, broker=broker).items()
    ]


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
        look = list(pages.commands(changes=False, broker=name))
        with futures.ThreadPoolExecutor(3) as pool:
            tried = dict(zip(look, pool.map(trouble.run, look), strict=True))
        for command in pages.commands(changes=True, broker=name):
            tried[command] = trouble.run(command)
            trouble.fill()
        return tried


@pytest.fixture(scope="module")
def on_redis(tmp_path_factory: pytest.TempPathFactory) -> Tried:
    """Try commands on a fleet on Redis."""
    make = tmp_path_factory.mktemp
    with redis.RedisServer(make("redis")) as broker:
        return try_all(pages.REDIS, broker, make, {})


@pytest.fixture(scope="module")
def on_rabbitmq(
    rabbitmq_node: rabbitmq.RabbitServer, tmp_path_factory: pytest.TempPathFactory
) -> Tried:
    """Try commands on a fleet on RabbitMQ."""
    if not rabbitmq_node.running:
        rabbitmq_node.start()
    rabbitmq_node.fresh_vhost()
    environment = {**rabbitmq_node.environment, "VHOST": rabbitmq_node.vhost}
    environment["PATH"] = f"{rabbitmq.SCRIPTS}:{fleet.PATH}:{os.environ['PATH']}"
    return try_all(pages.RABBITMQ, rabbitmq_node, tmp_path_factory.mktemp, environment)


@pytest.mark.xdist_group("runbooks")
@pytest.mark.parametrize("command", parameters(pages.REDIS))
def test_a_command_works(on_redis: Tried, command: str) -> None:
    """It ends with 0 and reports no error; those without a broker's mark are tried on Redis."""
    check(on_redis[command], command)


@pytest.mark.parametrize("command", parameters(pages.RABBITMQ))
def test_a_command_for_rabbitmq_works(on_rabbitmq: Tried, command: str) -> None:
    """It ends with 0 and reports no error."""
    check(on_rabbitmq[command], command)


def check(done: subprocess.CompletedProcess[str], command: str) -> None:
    """Refuse a command that failed, by its exit code or by what it said."""
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"{command}\n{said}"
    assert not any(word in said for word in FAILED), f"{command}\n{said}"
