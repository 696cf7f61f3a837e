"""Waits are differences of times that several clocks told: this decides which are measurements."""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from celery_sentinel.fleet.task_series import LONGEST

if TYPE_CHECKING:
    from celery_sentinel.fleet.task_records import TaskRecord
    from celery_sentinel.fleet.task_series import Histogram, TaskSeries

# Producers write ``task-sent`` after the message: on an idle fleet with one clock one task of
# twenty has started by then, some ms before. It is less than the finest default bucket.
NOISE = 0.05  # seconds


def parse_eta(eta: str | None) -> float | None:
    """Return epoch seconds of an event's ISO ``eta``; naive ones are UTC; None if unreadable."""
    if eta is None:
        return None
    try:
        moment = datetime.fromisoformat(eta)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


class Waits:
    """Observes waits; one that comes out negative is taken as 0.

    ``clamped`` counts those that were so by more than NOISE: there two clocks differ.
    """

    __slots__ = ("clamped",)

    def __init__(self) -> None:
        self.clamped = 0

    def ended(self, record: TaskRecord, series: TaskSeries, at: float) -> None:
        """Observe, once each, how long a task that starts ``at`` waited in queue and worker."""
        eta, sent, received = record.eta, record.sent, record.received
        if sent is not None:
            histogram = series.queue_wait
            if histogram is not None:
                wait = at - sent
                if eta is None and 0.0 <= wait <= histogram.least:  # most tasks hardly wait
                    histogram.counts[0] += 1
                    histogram.sum += wait
                else:
                    self.observe(histogram, at, sent, eta)
            record.sent = None
        histogram = series.prefetch_wait
        if received is not None and histogram is not None:
            wait = at - received
            if eta is None and 0.0 <= wait <= histogram.least:
                histogram.counts[0] += 1
                histogram.sum += wait
            else:
                self.observe(histogram, at, received, eta)
        if eta is not None:
            record.eta = None

    def observe(self, histogram: Histogram, until: float, since: float, eta: float | None) -> None:
        """Observe the wait ``until`` a moment ``since`` another, or since the eta if later.

        What is longer than LONGEST either way has an end that its sender gave no time.
        """
        if eta is not None and eta > since:
            since = eta
        wait = until - since
        if wait < 0.0:
            if wait < -LONGEST:
                return
            self.clamped += wait < -NOISE
            wait = 0.0
        elif wait > LONGEST:
            return
        histogram.counts[bisect_left(histogram.bounds, wait)] += 1
        histogram.sum += wait
