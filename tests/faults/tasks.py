"""Tasks with a name for each fault, so that faults of one fleet are told apart by it."""

from __future__ import annotations

import time

import celery


class RefusedError(Exception):
    """An exception class of the application's own."""


@celery.shared_task(name="spike")
def spike(fail: bool) -> None:
    """Fail, if asked to: the task of the spike."""
    _fail(fail)


@celery.shared_task(name="rare")
def rare(fail: bool) -> None:
    """Fail, if asked to: the task that seldom runs."""
    _fail(fail)


@celery.shared_task(name="virgin")
def virgin(fail: bool) -> None:
    """Fail, if asked to: the task that never failed."""
    _fail(fail)


@celery.shared_task(name="endless")
def endless(seconds: float) -> None:
    """Take ``seconds``."""
    time.sleep(seconds)


@celery.shared_task(name="sluggish")
def sluggish(seconds: float) -> None:
    """Take ``seconds``: the task that is to become slow."""
    time.sleep(seconds)


@celery.shared_task(name="stormy", bind=True, max_retries=None)
def stormy(self: celery.Task, times: int) -> None:
    """Ask for ``times`` retries."""
    if self.request.retries < times:
        raise self.retry(countdown=0, exc=RefusedError("not yet"))


@celery.shared_task(name="periodic")
def periodic() -> None:
    """Succeed, as long as somebody sends it."""


def _fail(fail: bool) -> None:
    if fail:
        raise RefusedError("on purpose")
