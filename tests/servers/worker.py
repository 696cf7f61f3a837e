"""Real Celery workers as subprocesses."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tests.servers import app, process, server, truth

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Pool = Literal["prefork", "threads", "solo", "gevent"]

_CONTAINER = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child")
_PROJECT = Path(__file__).parents[2]


class CeleryWorker(server.Server):
    """``celery worker`` with the fleet's tasks; its node name is ``name@fleet``.

    ``stop`` is a warm shutdown: the worker finishes what it runs. ``config`` are Celery
    settings, such as ``broker_transport_options`` or ``task_send_sent_event``. One that is
    ``contained`` is process 1 of a namespace of its own, as in a container.
    """

    def __init__(
        self,
        directory: Path,
        broker_url: str,
        *,
        name: str = "w1",
        pool: Pool = "prefork",
        concurrency: int = 2,
        queues: Sequence[str] = ("celery",),
        events: bool = True,
        config: Mapping[str, Any] | None = None,
        extra_args: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        contained: bool = False,
    ) -> None:
        super().__init__(directory, name)
        self.hostname = f"{name}@fleet"
        self.pool = pool
        self.truth = truth.Truth(directory / "truth.jsonl")
        self._config = {"broker_url": broker_url, **(config or {})}
        self._environment = environment or {}
        self._wrapping = _CONTAINER if contained else ()
        self._arguments = [
            f"--hostname={self.hostname}",
            f"--pool={pool}",
            f"--concurrency={concurrency}",
            f"--queues={','.join(queues)}",
            "--loglevel=INFO",
            *(["--task-events"] if events else []),
            *extra_args,
        ]

    def _launch(self) -> process.Process:
        return process.Process(
            [
                *self._wrapping,
                sys.executable,
                "-m",
                "celery",
                "-A",
                app.__name__,
                "worker",
                *self._arguments,
            ],
            env={
                **os.environ,
                "PYTHONPATH": str(_PROJECT),
                "PYTHONUNBUFFERED": "1",
                app.CONFIG_VARIABLE: json.dumps(self._config),
                app.TRUTH_VARIABLE: str(self.truth.path),
                **self._environment,
            },
            cwd=self.directory,
            log=self.log,
        )

    def _answers(self) -> bool:
        return f"{self.hostname} ready." in self.process.log_text()
