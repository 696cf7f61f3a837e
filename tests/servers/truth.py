"""What the workers really did, told by Celery's signals instead of its events."""

from __future__ import annotations

import collections
import json
import os
from typing import TYPE_CHECKING, Any

from celery import signals

if TYPE_CHECKING:
    from pathlib import Path


class Truth:
    """Reads what the workers of one directory recorded.

    Outcomes are received, started, succeeded, failed, retried, revoked and unknown.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def counts(self) -> collections.Counter[tuple[str, str]]:
        """Count by (outcome, task name)."""
        return collections.Counter((line["outcome"], line["name"]) for line in self._lines())

    def outcomes(self) -> collections.Counter[str]:
        """Count by outcome."""
        return collections.Counter(line["outcome"] for line in self._lines())

    def exceptions(self) -> collections.Counter[tuple[str, str]]:
        """Count failures and retries by (task name, exception class)."""
        return collections.Counter(
            (line["name"], line["exception"]) for line in self._lines() if line["exception"]
        )

    def _lines(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text().splitlines()]


class _Recorder:
    """Appends a line for each signal; the worker and its pool share the file."""

    def __init__(self, path: str) -> None:
        self._path = path

    def received(self, *, request: Any, **_: Any) -> None:
        self._write("received", request.name)

    def started(self, *, task: Any, **_: Any) -> None:
        self._write("started", task.name)

    def succeeded(self, *, sender: Any, **_: Any) -> None:
        self._write("succeeded", sender.name)

    def failed(self, *, sender: Any, exception: BaseException, **_: Any) -> None:
        self._write("failed", sender.name, exception)

    def retried(self, *, sender: Any, reason: Any, **_: Any) -> None:
        exception = getattr(reason, "exc", reason)
        self._write("retried", sender.name, exception)

    def revoked(self, *, request: Any, **_: Any) -> None:
        self._write("revoked", getattr(request, "name", None) or request.task)

    def unknown(self, *, name: str, **_: Any) -> None:
        self._write("unknown", name)

    def _write(self, outcome: str, name: str, exception: BaseException | None = None) -> None:
        kind = None if exception is None else type(exception).__name__
        line = json.dumps({"outcome": outcome, "name": name, "exception": kind}) + "\n"
        # One write to a file opened for appending: lines of several processes never mix.
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)


def record(path: str) -> None:
    """Have this process and its children append what their tasks do to the file ``path``."""
    recorder = _Recorder(path)
    for signal, handler in (
        (signals.task_received, recorder.received),
        (signals.task_prerun, recorder.started),
        (signals.task_success, recorder.succeeded),
        (signals.task_failure, recorder.failed),
        (signals.task_retry, recorder.retried),
        (signals.task_revoked, recorder.revoked),
        (signals.task_unknown, recorder.unknown),
    ):
        signal.connect(handler, weak=False)
