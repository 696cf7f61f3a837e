"""Runs the demo from its first process to its last."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import click

from celery_sentinel.demo import (
    banner,
    broker,
    daemon_process,
    process as demo_process,
    processes,
    stop_signals,
    workers,
)

READY_SECONDS = 30.0


def run(*, listen_address: str, duration: float | None, log_level: str) -> int:
    """Run the demo until Ctrl-C, SIGTERM or ``duration`` seconds after all was started; return 0.

    Raises ``SentinelError`` when there is no broker, or when a part does not start or dies.
    Whatever happens, nothing that was started is left running. Call it in the main thread.
    """
    server = broker.choose()
    click.echo(f"broker: {server.what}")
    with (
        stop_signals.Asked() as asked_to_stop,
        tempfile.TemporaryDirectory(prefix="celery-sentinel-demo-") as directory,
    ):
        parts = processes.DemoProcesses(
            asked_to_stop,
            directory=Path(directory),
            environment=environment(server.url, directory),
            audible=lambda line: daemon_process.audible(line, log_level),
        )
        try:
            url = _start(parts, server, listen_address, log_level)
            click.echo(banner.text(server, directory=directory, url=url))
            season = workers.Season(lambda: _start_worker(parts, workers.SEASONAL))
            parts.hold(duration, season.turn)
        except processes.Stopped:
            pass
        except processes.ProcessFailedError as failure:
            click.echo(failure.last_words, err=True)
            raise
        finally:
            click.echo("stopping the load, the workers, the daemon and the broker", err=True)
            parts.stop()
    click.echo("all stopped", err=True)
    return 0


def _start(
    parts: processes.DemoProcesses, server: broker.Broker, listen_address: str, log_level: str
) -> str:
    """Start all parts, each when those it needs are ready; return the URL of the daemon."""
    started = parts.start("broker", "broker", server.command)
    parts.wait(server.answers, started, seconds=READY_SECONDS)

    address = daemon_process.address_to_use(listen_address)
    if address != listen_address:
        click.echo(f"{listen_address} is in use, so the daemon takes a free port", err=True)
    daemon = parts.start("daemon", "daemon", daemon_process.command(server.url, address, log_level))
    url = parts.wait(lambda: daemon_process.url(daemon.text()), daemon, seconds=READY_SECONDS)

    for worker in workers.STEADY:
        _start_worker(parts, worker)
    load = [sys.executable, "-m", "celery_sentinel.demo.load", f"{server.pace:g}"]
    parts.start("load", "load", load)
    return url


def _start_worker(
    parts: processes.DemoProcesses, worker: workers.Worker
) -> demo_process.DemoProcess:
    return parts.start("worker", worker.name, worker.command)


def environment(broker_url: str, directory: str) -> dict[str, str]:
    """Return our environment without what would configure Celery or the daemon behind our back.

    Temporary files go to ``directory``, since a worker that is killed leaves some.
    """
    foreign = ("CELERY_", "CREDENTIALS_DIRECTORY")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | {
        "CELERY_BROKER_URL": broker_url,
        "PYTHONUNBUFFERED": "1",
        "TMPDIR": directory,
    }
