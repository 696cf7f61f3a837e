"""Who keeps a place where all are taken: one table may know what the others do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.fleet import eviction_of_series, missed_events
from celery_sentinel.fleet.worker import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from celery_sentinel import poll_results
    from celery_sentinel.fleet import objectives, queues, task_series, workers

SILENCE = "silence_seconds"


class Room:
    """Makes room in all tables that have a limit; what lives keeps its place.

    ``asked`` are the objectives: the tasks they name stay, and those of which they ask not to be
    silent for too long, for silence is what they have to show. Of the other arguments, in seconds,
    and ``on_gone`` eviction_of_series.py tells.
    """

    def __init__(
        self,
        *,
        series_table: task_series.SeriesTable,
        queue_table: queues.QueueTable,
        worker_table: workers.WorkerTable,
        after: float,
        ttl: float,
        told_for: float,
        on_gone: Callable[[task_series.TaskSeries], None],
    ) -> None:
        self.asked: objectives.Objectives | None = None
        self._names = series_table.names
        self._queues = queue_table
        self._workers = worker_table
        self._series = eviction_of_series.IdleSeries(
            series_table,
            after=after,
            ttl=ttl,
            told_for=told_for,
            stays=self._stays,
            on_gone=on_gone,
        )

    @property
    def forgotten(self) -> dict[str, int]:
        """How many places changed hands, by what they were for."""
        found = {kind: one.forgotten for kind, one in self._series.turnovers.items()}
        found["queue_name"] += self._queues.idle.turnover.forgotten
        found["hostname"] += self._workers.idle.turnover.forgotten
        return found

    def load(self, forgotten: Mapping[str, int]) -> None:
        """Take over how many places had changed hands before a restart."""
        for kind, count in forgotten.items():
            if kind in self._series.turnovers:
                self._series.turnovers[kind].forgotten = count

    def look(self, now: float, wall: float) -> None:
        """Look for what could go; call about twice a second, after workers and queues."""
        self._queues.wall = wall
        self._series.look(now)
        self._queues.trim_lessons(self._names)

    def answered(self, found: Iterable[poll_results.WorkerReading]) -> None:
        """Note the names of the tasks that workers say they have run."""
        for one in found:
            if one.started is not None and len(one.started) <= missed_events.MAX_NAMES:
                self._series.worked_on(one.started)

    def _is_asked_for(self, name: str) -> bool:
        if self.asked is None:
            return False
        limits = self.asked.of_task(name)
        return name in self.asked.tasks_named or any(one.key == SILENCE for one in limits)

    def _stays(self, kind: str, label: str) -> bool:
        if kind == eviction_of_series.NAME:
            return self._is_asked_for(label)
        if kind == eviction_of_series.QUEUE:
            return self._queues.holds(label)
        worker = self._workers.by_hostname.get(label)
        return worker is not None and worker.state is State.UP
