"""A fleet in trouble: tasks that do not end, queues that are full, and dead letters."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers import app, deadline, producer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.servers import server, worker

QUEUE = "reports"
DEAD = "reports.dead"
TASK = "slow"
# Where the commands of the environment are that runs the tests: celery and celery-sentinel.
PATH = str(Path(sys.executable).parent)

_PROJECT = Path(__file__).parents[2]
_COMMAND_SECONDS = 180.0
_READY_SECONDS = 120.0
# Celery waits for all of it when it asks everybody. People have slower fleets than this one.
_PATIENCE = ("--timeout 5", "--timeout 2")
_UNHEARD = "No nodes replied"
_TIMEOUT = re.compile(r"--timeout \d+")


class TroubledFleet:
    """One prefork worker with both its slots taken, messages that wait, and dead letters.

    ``run`` executes a command as the runbooks' readers do: in bash, with the variables that
    docs/runbooks/README.md tells them to set. ``environment`` adds to them.
    """

    def __init__(
        self,
        broker: server.Broker,
        celery_worker: worker.CeleryWorker,
        *,
        environment: Mapping[str, str],
    ) -> None:
        self._broker = broker
        self._environment = environment
        self._worker = celery_worker
        self._task_id = self.fill()
        deadline.wait_until(
            lambda: self._task_id in celery_worker.log.read_text(),
            _READY_SECONDS,
            "a task is received",
        )

    def fill(self) -> str:
        """Fill the worker, its queue and the dead letters; return the id of the first task."""
        with producer.Producer(self._broker.url) as client:
            first, *_ = [client.send(TASK, 600, queue=QUEUE).id for _ in range(20)]
            for _ in range(3):
                client.send("quick", queue=DEAD)
        return str(first)

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Return what a command did; it asks once more where a busy worker was too late for it."""
        done = self._run(command.replace(*_PATIENCE))
        if _UNHEARD in done.stdout + done.stderr:
            return self._run(_TIMEOUT.sub("--timeout 30", command))
        return done

    def _run(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/bash", "-eu", "-o", "pipefail", "-c", command],
            env=self._variables(),
            cwd=self._worker.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )

    def _variables(self) -> dict[str, str]:
        return {
            **os.environ,
            "PATH": f"{PATH}:{os.environ['PATH']}",
            "PYTHONPATH": str(_PROJECT),
            app.CONFIG_VARIABLE: json.dumps({"broker_url": self._broker.url}),
            "APP": app.__name__,
            "BROKER": self._broker.url,
            "WORKER": self._worker.hostname,
            "PID": str(self._worker.pid),
            "QUEUE": QUEUE,
            "DEAD": DEAD,
            "TASK": TASK,
            "TASK_ID": self._task_id,
            **self._environment,
        }
