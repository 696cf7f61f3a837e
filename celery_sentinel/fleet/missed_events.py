"""Decides which worker processes are held to account for their events, and adds up what lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.fleet import labels, worker_missed_events

if TYPE_CHECKING:
    from collections.abc import Iterable

    from celery_sentinel import poll_results
    from celery_sentinel.events.event import Event
    from celery_sentinel.fleet.task_series import SeriesTable
    from celery_sentinel.fleet.worker import Worker

HEARD_LATELY = 3600.0  # seconds; a name of which no task-received came for so long is eventless
ROUNDS_AWAITED = 3  # polls; a worker that answers none of them does not answer at all
SETTLED_AFTER = 5.0  # seconds after its last word in which events of a process may still come
ONE_AT_A_TIME = frozenset({"prefork", "solo"})
MAX_COUNT = 2**63
MAX_NAMES = 5000  # in one answer; an application has some hundreds
MAX_KEPT = 200_000  # eventless names in all accounts together; beyond it answers are not taken


class MissedEvents:
    """Feeds the ledger of each process and adds what it finds to ``Worker.missed``.

    A process is held to account while it is known to send task events. That its events were
    switched off shows in two heartbeats, and what lacked in those was not lost; so is what
    lacks where two processes share both name and process id.
    """

    def __init__(self, series: SeriesTable, *, poll_interval: float) -> None:
        self._series = series
        self._patience = ROUNDS_AWAITED * poll_interval
        self._heard: dict[str, float] | None = None
        self._now = 0.0
        self._room = MAX_KEPT

    def beat(self, worker: Worker, event: Event, processed: int, now: float) -> None:
        """Take what a heartbeat, or a goodbye, counts; monotonic ``now`` is its receipt."""
        if event.pid != worker.pid:
            return  # no process id at all, or none that there can be
        account = worker.ledgers.get(event.pid)
        alone = not worker.duplicate or len(worker.processed_by_pid) > 1
        if not worker.events_enabled or worker.fell_back or not alone:
            if account is not None:
                account.reset()
            return
        if account is None:
            account = worker.ledgers[event.pid] = worker_missed_events.Ledger()
            worker.starts[event.pid] = account.starts
            worker.missed = worker.missed or 0
        account.beat(event.clock, processed, now, slack=_slack(worker, event.active))
        if not worker.unexplained_progress:
            _add(worker, account.judge(now, patience=self._patience))

    def new_round(self, now: float, fleet: Iterable[Worker]) -> None:
        """Note that answers to a poll are about to come."""
        self._heard, self._now = None, now
        accounts = (account for worker in fleet for account in worker.ledgers.values())
        self._room = MAX_KEPT - sum(account.kept for account in accounts)

    def answered(self, worker: Worker, reading: poll_results.WorkerReading, now: float) -> None:
        """Take what an answer counts by name."""
        account = worker.ledgers.get(worker.pid if reading.pid is None else reading.pid)
        started, clock = reading.started, reading.clock
        if account is None or started is None or clock is None or reading.answers > 1:
            return
        if len(started) > MAX_NAMES or not all(0 <= n < MAX_COUNT for n in started.values()):
            return
        eventless = self._eventless(started)
        if len(eventless) <= self._room + account.kept:
            self._room -= len(eventless) - account.kept
            slack = _slack(worker, worker.concurrency)
            account.answered(clock, sum(started.values()), eventless, now, slack=slack)

    def end(self, worker: Worker, pid: int | None) -> None:
        """Close the account of a process that is no more."""
        account = worker.ledgers.pop(pid, None)
        if account is not None:
            del worker.starts[pid]
            _add(worker, account.settle())

    def settle(self, worker: Worker) -> None:
        """Judge all that was heard of a worker that has fallen silent; it may come back."""
        for account in worker.ledgers.values():
            _add(worker, account.settle())

    def end_all(self, worker: Worker) -> None:
        """Close all accounts of a worker that said goodbye."""
        for pid in tuple(worker.ledgers):
            self.end(worker, pid)

    def trim(self, fleet: Iterable[Worker]) -> None:
        """Begin anew the accounts of processes that start tasks and do not beat, if it is too many.

        Nothing is kept of the starts until a heartbeat comes that they can be held against.
        """
        accounts = [account for worker in fleet for account in worker.ledgers.values()]
        kept = sum(len(account.starts) for account in accounts)
        if kept <= worker_missed_events.MAX_STARTS:
            return
        for account in sorted(accounts, key=lambda one: len(one.starts), reverse=True):
            count = len(account.starts)
            if (
                count <= worker_missed_events.MAX_STARTS
                and kept <= worker_missed_events.MAX_ALL_STARTS
            ):
                return
            account.reset()
            kept -= count

    def _eventless(self, started: dict[str, int]) -> list[worker_missed_events.Eventless]:
        """Return the names that no worker's task-received has carried lately."""
        heard = self._heard_names()
        found = []
        for name, total in zip(map(labels.clean, started), started.values(), strict=True):
            last = heard.get(name)
            if last is None or last < self._now - HEARD_LATELY:
                found.append(worker_missed_events.Eventless(name, total, last is not None))
        return found

    def _heard_names(self) -> dict[str, float]:
        """Return when each name was last received, looked up once a round."""
        if self._heard is None:
            heard = self._heard = {}
            for one in self._series:
                if one.received:
                    heard[one.name] = max(one.received_at, heard.get(one.name, 0.0))
        return self._heard


def _slack(worker: Worker, running: int | None) -> int:
    """Return how many tasks may have been counted already, and their event not written yet.

    In between a worker acknowledges the message. With one thread nothing else happens
    meanwhile; in other pools that may be so for each task that runs.
    """
    return 0 if worker.pool in ONE_AT_A_TIME else max(0, running or 0)


def _add(worker: Worker, more: int) -> None:
    worker.missed = (worker.missed or 0) + more
