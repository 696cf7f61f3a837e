"""Runs the stack from its first process to its last, with the parts of the demo."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import addresses
import click
import servers

from celery_sentinel.demo import (
    broker,
    daemon_process,
    process as demo_process,
    processes,
    runner,
    stop_signals,
    workers,
)

READY_SECONDS = 60.0
_TEXT = """
The demo's shop, a pair of celery-sentinels, Prometheus and Alertmanager are running.

  broker        {broker}
  sentinels     http://{sentinels[0]}/  http://{sentinels[1]}/
  Prometheus    http://{prometheus}/alerts
  Alertmanager  http://{alertmanager}/
  logs, state   {directory}

Ctrl-C stops everything.
"""


class Places(NamedTuple):
    """Where everything listens, as ``host:port``."""

    sentinels: tuple[str, str]
    prometheus: str
    alertmanager: str

    @classmethod
    def choose(cls, *, anywhere: bool) -> Places:
        """Choose the ports that are usual, or with ``anywhere`` any that are free."""
        first, second, prometheus, alertmanager = addresses.choose(
            9808, 9809, 9090, 9093, anywhere=anywhere
        )
        return cls((first, second), prometheus, alertmanager)


def run(*, anywhere: bool) -> int:
    """Run the stack until Ctrl-C or SIGTERM; return 0.

    Raises ``SentinelError`` when a server is missing, or when a part does not start or dies.
    Whatever happens, nothing that was started is left running.
    """
    server = broker.choose()
    places = Places.choose(anywhere=anywhere)
    with (
        stop_signals.Asked() as asked_to_stop,
        tempfile.TemporaryDirectory(prefix="celery-sentinel-stack-") as directory,
    ):
        parts = processes.DemoProcesses(
            asked_to_stop,
            directory=Path(directory),
            environment=runner.environment(server.url, directory),
            audible=lambda line: daemon_process.audible(line, "warning"),
            whole="stack",
        )
        try:
            _start(parts, server, places, Path(directory))
            click.echo(_TEXT.format(broker=server.url, directory=directory, **places._asdict()))
            parts.hold(None, lambda: None)
        except processes.Stopped:
            pass
        except processes.ProcessFailedError as failure:
            click.echo(failure.last_words, err=True)
            raise
        finally:
            click.echo("stopping everything", err=True)
            parts.stop()
    click.echo("all stopped", err=True)
    return 0


def _start(
    parts: processes.DemoProcesses, server: broker.Broker, places: Places, directory: Path
) -> None:
    """Start all parts, each when those it needs are ready."""
    monitors = _monitors(places, directory)
    started = parts.start("broker", "broker", server.command)
    parts.wait(server.answers, started, seconds=READY_SECONDS)
    pair = [
        _start_sentinel(parts, server.url, address, directory / f"sentinel-{number}")
        for number, address in enumerate(places.sentinels, start=1)
    ]
    for name, (command, says) in monitors.items():
        monitor = parts.start("monitor", name, command)
        parts.wait(
            lambda one=monitor, word=says: word in one.text(), monitor, seconds=READY_SECONDS
        )
    for sentinel in pair:
        parts.wait(
            lambda one=sentinel: daemon_process.url(one.text()), sentinel, seconds=READY_SECONDS
        )
    for worker in workers.STEADY:
        parts.start("worker", worker.name, worker.command)
    for name, command in _senders(server, directory).items():
        parts.start("load", name, command)


def _start_sentinel(
    parts: processes.DemoProcesses, broker_url: str, address: str, state: Path
) -> demo_process.Part:
    config = ["--config.file", str(servers.COMPOSE / "celery-sentinel.yml")]
    command = [
        *daemon_process.command(broker_url, address, "info"),
        *config,
        "--state.file",
        str(state),
    ]
    return parts.start("daemon", state.name, command)


def _monitors(places: Places, directory: Path) -> dict[str, tuple[list[str], str]]:
    """Return command lines by name, each with what it says when it is ready."""
    config = directory / "prometheus.yml"
    jobs = {
        "celery-sentinel": places.sentinels,
        "prometheus": [places.prometheus],
        "alertmanager": [places.alertmanager],
    }
    config.write_text(servers.prometheus_config(jobs))
    return {
        "alertmanager": (
            servers.alertmanager(directory / "alertmanager", places.alertmanager),
            "Listening on",
        ),
        "prometheus": (
            servers.prometheus(config, directory / "prometheus", places.prometheus),
            "Server is ready to receive web requests",
        ),
    }


def _senders(server: broker.Broker, directory: Path) -> dict[str, list[str]]:
    """Return the command lines of what sends tasks: customers without end, and beat."""
    app = ["--app", "celery_sentinel.demo.shop"]
    schedule = ["--schedule", str(directory / "schedule"), "--pidfile", ""]
    return {
        "load": [sys.executable, "-m", "celery_sentinel.demo.load", f"{server.pace:g}"],
        "beat": [sys.executable, "-m", "celery", *app, "beat", *schedule],
    }
