"""Tasks that end in every way a task can end."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import celery
from celery import exceptions


class PaymentDeclinedError(Exception):
    """An exception class of the application's own."""


FAILURES: dict[str, type[Exception]] = {
    "value": ValueError,
    "key": KeyError,
    "timeout": TimeoutError,
    "connection": ConnectionError,
    "declined": PaymentDeclinedError,
}


@celery.shared_task(name="quick")
def quick(value: Any = None) -> Any:
    """Return ``value`` at once."""
    return value


@celery.shared_task(name="slow")
def slow(seconds: float) -> float:
    """Take ``seconds``."""
    time.sleep(seconds)
    return seconds


@celery.shared_task(name="patient")
def patient(path: str) -> None:
    """Run until the file ``path`` is there."""
    while not Path(path).exists():
        time.sleep(0.05)


@celery.shared_task(name="failing")
def failing(kind: str = "value") -> None:
    """Raise the exception that FAILURES has for ``kind``."""
    raise FAILURES[kind](f"failing on purpose: {kind}")


@celery.shared_task(name="failing_long")
def failing_long(kind: str, size: int) -> None:
    """Raise an exception with a message of ``size`` bytes, some of which take several."""
    if kind == "undecodable":
        (b"\xff" * size).decode()
    raise FAILURES[kind]("x" * size)


@celery.shared_task(name="failing_late")
def failing_late(seconds: float) -> None:
    """Take ``seconds``, then fail."""
    time.sleep(seconds)
    raise ValueError("failing on purpose, in the end")


@celery.shared_task(name="retrying", bind=True, max_retries=None)
def retrying(self: celery.Task, times: int) -> int:
    """Ask for ``times`` retries, then succeed."""
    attempt: int = self.request.retries
    if attempt < times:
        raise self.retry(countdown=0, exc=TimeoutError(f"attempt {attempt}"))
    return attempt


@celery.shared_task(name="charge")
def charge(number: int) -> int:
    """Fail if ``number`` is 3."""
    if number == 3:
        raise ValueError("declined")
    return number


@celery.shared_task(name="dispatch", bind=True)
def dispatch(self: celery.Task, number: int, how: str = "task", queue: str | None = None) -> Any:
    """Be replaced by ``charge``, at once or in one of the ways below."""
    instead = charge.si(number)
    if queue is not None:
        instead.set(queue=queue)
    match how:
        case "group":
            instead = celery.group(charge.si(number), charge.si(number))
        case "chain":
            instead = quick.si() | instead
        case "chord":
            instead = celery.chord([charge.si(number), charge.si(number)], quick.si())
        case "itself":
            instead = dispatch.si(number)
        case "twice":
            instead = dispatch.si(number, "itself")
        case "retried" if not self.request.retries:
            raise self.retry(countdown=0)
    return self.replace(instead)


@celery.shared_task(name="dispatch_late", bind=True)
def dispatch_late(self: celery.Task, number: int, path: str) -> Any:
    """Be replaced by ``charge`` once the file ``path`` is there."""
    while not Path(path).exists():
        time.sleep(0.05)
    return self.replace(charge.si(number))


@celery.shared_task(name="ignoring")
def ignoring() -> None:
    """End without any closing event."""
    raise exceptions.Ignore


@celery.shared_task(name="rejecting")
def rejecting() -> None:
    """Refuse the message for good."""
    raise exceptions.Reject("refused on purpose", requeue=False)


@celery.shared_task(name="progressing", bind=True)
def progressing(self: celery.Task, fraction: float) -> None:
    """Send an event type of the application's own."""
    self.send_event("task-progress", fraction=fraction)


@celery.shared_task(name="silent", send_events=False)
def silent() -> None:
    """Run without task events from the worker."""


@celery.shared_task(name="not_a_number")
def not_a_number() -> float:
    """Return what JSON has no number for."""
    return float("nan")


@celery.shared_task(name="lone_surrogate")
def lone_surrogate() -> str:
    """Return a string that UTF-8 cannot encode."""
    return "\udcff"


@celery.shared_task(name="dying")
def dying() -> None:
    """Kill the process that runs the task, as the system does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)
