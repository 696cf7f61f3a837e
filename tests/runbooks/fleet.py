"""A fleet in trouble: tasks that do not end, queues that are full, and dead letters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers import app, deadline, producer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests import conftest
    from tests.servers import daemon, server

QUEUE = "reports"
DEAD = "reports.dead"
TASK = "slow"
_PROJECT = Path(__file__).parents[2]
_SECONDS = 60.0
_READY_SECONDS = 30.0


class TroubledFleet:
    """One broker, one prefork worker with both its slots taken, messages that wait.

    ``run`` executes a command as the runbooks' readers do: in bash, with the variables that
    docs/runbooks/README.md tells them to set.
    """

    def __init__(
        self,
        broker: server.Broker,
        start_worker: conftest.StartWorker,
        *,
        environment: Mapping[str, str],
    ) -> None:
        self._broker = broker
        self._config = {"broker_url": broker.url, "result_backend": "cache+memory://"}
        self._environment = environment
        self._worker = start_worker(broker.url, queues=[QUEUE, "celery"])
        self._task_id = self._occupy()

    def run(self, command: str, sentinel: daemon.Daemon) -> subprocess.CompletedProcess[str]:
        """Return what a command did; ``sentinel`` is the daemon that it may ask."""
        return subprocess.run(
            ["/bin/bash", "-eu", "-o", "pipefail", "-c", command],
            env=self._variables(sentinel),
            cwd=self._worker.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )

    def heal(self) -> None:
        """Bring a fleet that a command has changed back into its trouble."""
        self._worker.kill()
        with producer.Producer(self._broker.url) as client:
            for queue in (QUEUE, DEAD, "celery"):
                _purge(client, queue)
        self._worker.start()
        self._task_id = self._occupy()

    def _occupy(self) -> str:
        """Fill the worker, its prefetch, the queue and the dead-letter queue."""
        with producer.Producer(self._broker.url) as client:
            first, *_ = [client.send(TASK, 600, queue=QUEUE).id for _ in range(20)]
            for _ in range(3):
                client.send("quick", queue=DEAD)
        deadline.wait_until(
            lambda: first in self._worker.log.read_text(), _READY_SECONDS, "a task is received"
        )
        return first

    def _variables(self, sentinel: daemon.Daemon) -> dict[str, str]:
        return {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(_PROJECT),
            app.CONFIG_VARIABLE: json.dumps(self._config),
            "APP": app.__name__,
            "BROKER": self._broker.url,
            "SENTINEL": sentinel.url,
            "WORKER": self._worker.hostname,
            "PID": str(self._worker.pid),
            "QUEUE": QUEUE,
            "DEAD": DEAD,
            "TASK": TASK,
            "TASK_ID": self._task_id,
            **self._environment,
        }


def _purge(client: producer.Producer, queue: str) -> None:
    with client.app.connection_for_write() as connection:
        connection.SimpleQueue(queue).clear()
