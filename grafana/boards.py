"""The five dashboards: which panels, in the order in which a person on call asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grafana.kit import board, marks
from grafana.kit.promql import HOST, NAME, QUEUE
from grafana.panels import numbers, queues, sentinel, tasks, workers

if TYPE_CHECKING:
    from collections.abc import Iterator

_WAITING = "Are users waiting?"
_FAILING = "Who fails, and why?"
_WORKING = "Which worker is lost, wedged or saturated?"
_STUCK = "What is slow or stuck?"
_RETRIES = "What did the retries do?"
_TRUST = "Can I trust the data?"


def every() -> Iterator[dict[str, Any]]:
    """Yield the dashboards as JSON has them."""
    yield overview()
    yield of_tasks()
    yield of_workers()
    yield of_queues()
    yield of_sentinel()


def overview() -> dict[str, Any]:
    """Return where to begin: one row for each question, each leads on."""
    rows: board.Rows = {
        _WAITING: [
            numbers.queues.late(),
            numbers.queues.oldest(),
            numbers.queues.wait(),
            numbers.tasks.over_objective(),
            numbers.workers.lost(),
            numbers.sentinel.alerts(),
            queues.ages(),
            queues.lengths(),
        ],
        _FAILING: [tasks.failures_table(), tasks.failures_by_category(), tasks.outcomes(span=24)],
        _WORKING: [workers.timeline(), queues.saturation()],
        _TRUST: [
            sentinel.firing(),
            sentinel.streams(span=10),
            numbers.sentinel.connected(),
            numbers.sentinel.lag(),
            numbers.sentinel.missed(),
            numbers.sentinel.gaps(),
            numbers.workers.up(),
            numbers.tasks.throughput(),
        ],
    }
    return board.board(
        "celery-overview",
        "Where a person on call begins: who waits, who fails, who is lost, and whether it is true. "
        "Every value leads to the dashboard that says more.",
        rows,
        deploys=[marks.restarts(), marks.versions()],
    )


def of_tasks() -> dict[str, Any]:
    """Return the dashboard of one task, of some or of all."""
    rows: board.Rows = {
        _FAILING: [
            numbers.tasks.over_objective(NAME),
            numbers.tasks.failing(NAME),
            numbers.tasks.retrying(NAME),
            numbers.tasks.slowest(NAME),
            numbers.tasks.oldest_run(NAME),
            numbers.tasks.running(NAME),
            tasks.failures_table(NAME, lead_on=False),
            tasks.failures_by_category(NAME),
            tasks.failure_ratio(NAME),
            tasks.budget(NAME),
        ],
        _STUCK: [
            tasks.runtimes(NAME),
            tasks.waits(NAME),
            tasks.runtime(NAME),
            tasks.oldest_runs(NAME),
        ],
        _RETRIES: [tasks.retry_ratio(NAME), tasks.retries(NAME)],
        "What became of the rest?": [
            tasks.unfinished(NAME),
            tasks.successes(NAME),
            tasks.outcomes(NAME, span=24),
        ],
    }
    return board.board(
        "celery-tasks",
        "One task, some, or all: failures with their exceptions and what heals them, runtimes "
        "beside their objectives, retries, and runs that did not end by themselves.",
        rows,
        variables=["name"],
        deploys=[marks.restarts(), marks.versions()],
    )


def of_workers() -> dict[str, Any]:
    """Return the dashboard of the workers."""
    rows: board.Rows = {
        _WORKING: [
            numbers.workers.up(HOST),
            numbers.workers.lost(HOST),
            numbers.workers.wedged(HOST),
            numbers.workers.busy(HOST),
            numbers.workers.restarted(HOST),
            numbers.workers.versions(HOST),
            workers.timeline(HOST, span=14),
            workers.silent(HOST),
            workers.roster(HOST),
            workers.slots(HOST),
        ],
        "Who works, who holds?": [
            workers.load(HOST),
            workers.progress(HOST),
            workers.held(HOST),
            workers.clocks(HOST),
        ],
        "How is the host?": [
            workers.heartbeats(HOST),
            workers.memory(HOST),
            workers.host_load(HOST),
        ],
    }
    return board.board(
        "celery-workers",
        "Which worker is lost, wedged or saturated, what each one runs and holds, and how its host "
        "fares.",
        rows,
        variables=["hostname"],
        deploys=[marks.restarts(HOST), marks.versions(HOST)],
    )


def of_queues() -> dict[str, Any]:
    """Return the dashboard of the queues."""
    rows: board.Rows = {
        _WAITING: [
            numbers.queues.late(QUEUE),
            numbers.queues.oldest(QUEUE),
            numbers.queues.wait(QUEUE),
            numbers.queues.consumers(QUEUE),
            numbers.queues.dead_letters(QUEUE),
            numbers.queues.round_trip(),
            queues.roster(QUEUE),
            queues.shares(QUEUE),
            queues.ages(QUEUE),
            queues.lengths(QUEUE),
        ],
        "Will it get better by itself?": [
            queues.drain(QUEUE),
            queues.saturation(QUEUE),
            queues.crews(QUEUE),
            queues.waits(QUEUE),
        ],
        "Where do messages sit?": [
            tasks.waits(QUEUE, span=8),
            queues.prefetched(QUEUE),
            queues.priorities(QUEUE),
            queues.unacked(),
            queues.redelivery(),
        ],
    }
    return board.board(
        "celery-queues",
        "How long messages wait, whether queues drain, who consumes them, and what is delivered "
        "and not done.",
        rows,
        variables=["queue_name"],
        deploys=[marks.restarts(), marks.versions()],
    )


def of_sentinel() -> dict[str, Any]:
    """Return the dashboard that judges the others."""
    rows: board.Rows = {
        _TRUST: [
            numbers.sentinel.connected(),
            numbers.sentinel.count(),
            numbers.sentinel.lag(),
            numbers.sentinel.missed(),
            numbers.sentinel.gaps(),
            numbers.sentinel.reloaded(),
            sentinel.streams(),
            sentinel.polls(),
            sentinel.losses(),
            sentinel.unknowns(),
            sentinel.events(),
            sentinel.lags(),
        ],
        "How does celery-sentinel fare?": [
            sentinel.builds(),
            sentinel.durations(),
            sentinel.memory(),
            sentinel.processor(),
            sentinel.scrapes(),
            sentinel.tracked(),
        ],
    }
    return board.board(
        "celery-sentinel",
        "Whether the other dashboards can be trusted: what was heard, missed and refused, and how "
        "the daemon fares.",
        rows,
        deploys=[marks.sentinels(), marks.restarts()],
    )
