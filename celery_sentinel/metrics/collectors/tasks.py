"""What happened to the tasks: counters, histograms and gauges of every name and queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.fleet import batches, oldest_runs, timestamps
from celery_sentinel.fleet.task_series import RECEIVED, SENT, STARTED
from celery_sentinel.metrics import catalogue, samples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from celery_sentinel.fleet import model, task_series

Children = list[tuple[tuple[str, ...], "float | samples.Distribution"]]

_STATES = (("sent", SENT), ("received", RECEIVED), ("started", STARTED))
_RUNTIMES = (("succeeded", "runtime_succeeded"), ("failed", "runtime_failed"))


def collect(fleet: model.Fleet, *, compat: bool = False) -> Iterator[samples.Family]:
    """Yield the task families; the aliases of the de-facto exporter only with ``compat``."""
    gathered: dict[catalogue.Metric, Children] = {
        metric: []
        for metric in catalogue.METRICS
        if metric.group == "tasks" and (compat or not metric.compat)
    }
    latest = timestamps.latest(fleet.wall)
    for one in batches.of(fleet, fleet.series):
        _counters(one, gathered)
        _breakdowns(one, gathered)
        _histograms(one, gathered, compat=compat)
        _gauges(one, gathered, latest)
    for queue, histogram in batches.of(fleet, fleet.series.prefetch_waits.items()):
        if any(histogram.counts):
            gathered[catalogue.TASK_PREFETCH_WAIT].append(((queue,), _copy(histogram)))
    gathered[catalogue.TASK_OLDEST_STARTED] = list(oldest_runs.started_at(fleet).items())
    by_hostname = fleet.series.by_hostname
    for metric, children in gathered.items():
        labels = metric.labels
        if by_hostname and metric.by_hostname:
            labels = (*labels[:2], "hostname", *labels[2:])
        yield samples.Family(metric, labels, children)


def _counters(one: task_series.TaskSeries, gathered: dict[catalogue.Metric, Children]) -> None:
    """Add the plain counters; a 0 only where it is known to be one."""
    labels = one.labels
    if one.sent:
        gathered[catalogue.TASK_SENT].append((labels, one.sent))
    if one.received or one.started or one.succeeded or one.failed:
        gathered[catalogue.TASK_RECEIVED].append((labels, one.received))
        gathered[catalogue.TASK_STARTED].append((labels, one.started))
        gathered[catalogue.TASK_SUCCEEDED].append((labels, one.succeeded))
    if one.redelivered:
        gathered[catalogue.TASK_REDELIVERED].append((labels, one.redelivered))
    if one.cancelled:
        gathered[catalogue.TASK_CANCELLED].append((labels, one.cancelled))


def _breakdowns(one: task_series.TaskSeries, gathered: dict[catalogue.Metric, Children]) -> None:
    labels = one.labels
    if one.failed:
        failed = gathered[catalogue.TASK_FAILED]
        failed.extend(((*labels, *why), count) for why, count in one.failed.items())
    for metric, counts in (
        (catalogue.TASK_RETRIED, one.retried),
        (catalogue.TASK_REJECTED, one.rejected),
        (catalogue.TASK_REVOKED, one.revoked),
        (catalogue.TASK_LOST, one.lost),
    ):
        if counts:
            gathered[metric].extend(((*labels, why), count) for why, count in counts.items())


def _histograms(
    one: task_series.TaskSeries, gathered: dict[catalogue.Metric, Children], *, compat: bool
) -> None:
    labels = one.labels
    for state, attribute in _RUNTIMES:
        histogram: task_series.Histogram | None = getattr(one, attribute)
        if histogram is not None and any(histogram.counts):
            copy = _copy(histogram)
            gathered[catalogue.TASK_RUNTIME].append(((*labels, state), copy))
            if compat and state == "succeeded":
                gathered[catalogue.TASK_RUNTIME_COMPAT].append((labels, copy))
    if one.queue_wait is not None and any(one.queue_wait.counts):
        copy = _copy(one.queue_wait)
        gathered[catalogue.TASK_QUEUE_WAIT].append((labels, copy))
        if compat:
            gathered[catalogue.TASK_QUEUE_WAIT_COMPAT].append((labels, copy))


def _gauges(
    one: task_series.TaskSeries, gathered: dict[catalogue.Metric, Children], latest: float
) -> None:
    """Add what holds now; a time after ``latest`` is none, and what it overwrote is not known."""
    labels = one.labels
    in_flight = gathered[catalogue.TASKS_IN_FLIGHT]
    for state, index in _STATES:
        if one.in_flight[index] or (one.received and state != "sent") or one.sent:
            in_flight.append(((*labels, state), one.in_flight[index]))
    last = gathered[catalogue.TASK_LAST_EVENT]
    for event, at in (
        ("sent", one.last_sent),
        ("succeeded", one.last_succeeded),
        ("failed", one.last_failed),
    ):
        if 0.0 < at <= latest:
            last.append(((*labels, event), at))


def _copy(histogram: task_series.Histogram) -> samples.Distribution:
    return samples.Distribution(histogram.bounds, histogram.counts.copy(), histogram.sum)
