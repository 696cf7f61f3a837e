"""The load generator of the demo: ``load PACE`` sends that many tasks a second until killed."""

from __future__ import annotations

import heapq
import random
import sys
import time
from typing import Any

from celery_sentinel.demo import shop, traffic


class Load:
    """Sends the jobs of the shop at the pace of its day, and takes some of them back."""

    def __init__(self, app: Any, *, pace: float) -> None:
        self._app = app
        self._pace = pace
        self._regrets: list[tuple[float, str]] = []

    def run(self, dice: random.Random) -> None:
        """Send without end. What a slow broker made late is not made up for."""
        began = due = time.monotonic()
        for job in traffic.jobs(dice):
            self._wait(due)
            self._send(job)
            now = time.monotonic()
            due = max(now, due + 1 / traffic.rate(self._pace, now - began))

    def _send(self, job: traffic.Job) -> None:
        sent = self._app.send_task(job.task, kwargs=job.arguments, **job.options)
        if job.revoke_after is not None:
            heapq.heappush(self._regrets, (time.monotonic() + job.revoke_after, sent.id))

    def _wait(self, due: float) -> None:
        """Sleep until ``due``, and revoke on the way what is to be revoked by then."""
        while self._regrets and self._regrets[0][0] <= due:
            when, task = heapq.heappop(self._regrets)
            _sleep_until(when)
            self._app.control.revoke(task, terminate=True)
        _sleep_until(due)


def _sleep_until(when: float) -> None:
    time.sleep(max(0.0, when - time.monotonic()))


if __name__ == "__main__":
    Load(shop.app, pace=float(sys.argv[1])).run(random.SystemRandom())
