"""What the workers really did, told by Celery's signals instead of its events."""

from __future__ import annotations

import collections
import json
import os
from typing import TYPE_CHECKING, Any, TypeVar

from celery import signals

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Key = TypeVar("Key")


class Truth:
    """Reads what the workers of one directory recorded.

    Outcomes are received, started, succeeded, failed, retried, revoked and unknown.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read_to = 0
        self._seen: collections.Counter[tuple[str, str, str | None]] = collections.Counter()

    def counts(self) -> collections.Counter[tuple[str, str]]:
        """Count by (outcome, task name)."""
        return self._count_by(lambda outcome, name, _: (outcome, name))

    def outcomes(self) -> collections.Counter[str]:
        """Count by outcome."""
        return self._count_by(lambda outcome, _name, _: outcome)

    def exceptions(self) -> collections.Counter[tuple[str, str]]:
        """Count failures and retries by (task name, exception class)."""
        return self._count_by(lambda _, name, exception: (name, exception) if exception else None)

    def _count_by(
        self, key: Callable[[str, str, str | None], Key | None]
    ) -> collections.Counter[Key]:
        self._read_on()
        counted: collections.Counter[Key] = collections.Counter()
        for line, times in self._seen.items():
            found = key(*line)
            if found is not None:
                counted[found] += times
        return counted

    def _read_on(self) -> None:
        """Read what was recorded since the last look; hours of it would be too much each time."""
        if not self.path.exists():
            return
        with self.path.open("rb") as recorded:
            recorded.seek(self._read_to)
            whole = recorded.read().rpartition(b"\n")[0]
        self._read_to += len(whole) + bool(whole)
        for line in map(json.loads, whole.splitlines()):
            self._seen[line["outcome"], line["name"], line["exception"]] += 1


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
