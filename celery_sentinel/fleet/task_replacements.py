"""A task may hand its id on to another (Task.replace): this keeps the runs of one id apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from celery_sentinel.fleet import (
    labels,
    task_attribution,
    task_replacement_signs as signs,
    task_waits,
)
from celery_sentinel.fleet.task_records import TaskRecord
from celery_sentinel.fleet.task_series import CLOSED, RECEIVED, SENT, STARTED

if TYPE_CHECKING:
    from celery_sentinel.events.event import Event
    from celery_sentinel.fleet import task_records
    from celery_sentinel.fleet.task_series import TaskSeries
    from celery_sentinel.fleet.worker import Worker

MOST_STORIES = 1000  # those of which nothing more is heard make room
MOST_EARLIER = 8  # runs of one id whose events are still to come
MOST_ALIASES = 10_000


class Announced(NamedTuple):
    """What a ``task-sent`` said of the run that is to take an id over; ``at`` is epoch seconds."""

    series: TaskSeries
    at: float


class Story:
    """What is known of an id that goes from one task to the next, beside its record.

    ``earlier`` are runs, without a place among the records, of which a task-started or
    task-retried is still to come; ``unannounced`` counts runs that began before their task-sent
    came; ``names`` are those the id has had.
    """

    __slots__ = ("coming", "earlier", "names", "unannounced")

    def __init__(self) -> None:
        self.coming: Announced | None = None
        self.earlier: list[TaskRecord] = []
        self.names: set[str] = set()
        self.unannounced = 0


class Replacements:
    """Tells the events of an id's runs apart, in whatever order they come.

    ``stories`` has, by task id, those that are told in part; the event path reads it. ``aliases``
    are the names under which tasks were received that another name was sent under. A direct
    replacement is its own parent and begins with no retries. The last task of a chain or chord
    that replaces one has another parent, but mostly another name.
    """

    __slots__ = ("_places", "_records", "_waits", "aliases", "stories")

    def __init__(
        self,
        record_table: task_records.RecordTable,
        found: task_attribution.Places,
        observed: task_waits.Waits,
    ) -> None:
        self.stories: dict[str, Story] = {}
        self.aliases: dict[str, str] = {}
        self._records = record_table
        self._places = found
        self._waits = observed

    # --- task-sent ------------------------------------------------------------------------

    def announced(self, record: TaskRecord, series: TaskSeries, event: Event) -> bool:
        """Tell whether a ``task-sent`` of a known id is of another run than the record's.

        It is then kept for that.
        """
        story = self.stories.get(event.uuid)
        if not self._is_next(record, series, event):
            if story is None or not story.names or series.name == record.series.name:
                return False
            for run in story.earlier:
                if run.sent is None and run.series.name == series.name:
                    run.sent = event.timestamp
            return True
        if story is not None and story.unannounced and series.name == record.series.name:
            story.unannounced -= 1
            return False
        self._story(event.uuid).coming = Announced(series, event.timestamp)
        return True

    def _is_next(self, record: TaskRecord, series: TaskSeries, event: Event) -> bool:
        if event.retries:
            return False
        if event.parent_id == event.uuid:
            return True
        if not signs.differ(series.name, record.series.name) or record.polled:
            return False
        if record.sent is not None:
            return True  # its own came before
        if record.received is None:
            return False
        # Else its own may have been overtaken, and what was received be its shadow.
        since = max(record.received, record.started or 0.0)
        return event.parent_id is not None or event.timestamp > since + task_waits.NOISE

    # --- task-received --------------------------------------------------------------------

    def begun(self, event: Event) -> None:
        """Note that an id that was not known begins with a run that replaces another."""
        if event.retries:
            return
        story = self._story(event.uuid)
        story.unannounced += event.type != "task-sent"
        story.names.add(event.name or labels.UNKNOWN)

    def named(self, record: TaskRecord, event: Event, worker: Worker) -> bool:
        """Take over what a ``task-received`` says of a known task's name, queue and worker.

        True where it is of another run than the one of which only the task-sent was heard. A
        task-sent names the task, a task-received its ``shadow``: that is no replacement.
        """
        name = labels.clean(event.name or record.series.name)
        if record.series.queue_name in self._places.fanout:
            return True  # perhaps of another copy
        if not signs.differ(name, record.series.name):
            if record.series.vague:
                self._places.move(record, event, worker)
        elif record.state == SENT and record.received is None:
            if signs.replaces(event) or event.uuid in self.stories:
                return True
            if len(self.aliases) >= MOST_ALIASES:
                del self.aliases[next(iter(self.aliases))]
            self.aliases[event.uuid] = name
            if record.series.vague:
                self._places.move(record, event, worker)
        return False

    def another(self, record: TaskRecord, event: Event) -> bool:
        """Tell whether a ``task-received`` is of another run than the record's, no new attempt."""
        known = self.aliases.get(event.uuid, record.series.name)
        started = record.started
        if signs.differ(labels.clean(event.name or known), known):
            # A shadow whose task-started came first brings the name that is not ours.
            return record.received is not None or started is None or event.timestamp > started
        story, before = self.stories.get(event.uuid), record.received
        if before is None:
            return False
        if story is not None and event.timestamp < before and event.retries >= record.retries:
            return True  # of an earlier run: the one that replaced it has overtaken it
        if not signs.replaces(event):
            return False
        # What was received before had another parent, or was sent earlier: it is not that again.
        return story is None or story.coming is not None or signs.is_over(record, event)

    def received(
        self, record: TaskRecord, event: Event, worker: Worker, now: float
    ) -> TaskSeries | None:
        """Apply the ``task-received`` of another run.

        Returns None if the record is now of that run; the series in which it counts if it had
        come late, after that of the run that took the id over.
        """
        story = self._story(event.uuid)
        coming = story.coming
        name = labels.clean(event.name or labels.UNKNOWN)
        announced = record.state == SENT and record.received is None and not signs.replaces(event)
        if announced or (record.received is not None and event.timestamp < record.received):
            series = self._places.received(event, worker)
            eta = task_waits.parse_eta(event.eta)
            run = TaskRecord(series, worker, CLOSED, now, event.retries, eta=eta)
            run.received = event.timestamp
            _keep(story, run)
            story.names.add(series.name)
            return series
        if coming is not None and coming.series.name == name:
            series, sent, story.coming = coming.series, coming.at, None
        else:
            series, sent = self._places.received(event, worker), None
            story.unannounced += 1
        if series.name in story.names and not signs.replaces(event):
            series.redelivered += 1  # the message of a run that has been replaced already
        self._hand_on(story, event.uuid, record, series, worker)
        record.sent = sent
        return None

    def _hand_on(
        self, story: Story, uuid: str, record: TaskRecord, series: TaskSeries, worker: Worker
    ) -> None:
        """Give a record to the next run; what the one before may still say is expected."""
        story.names.add(record.series.name)
        if record.state in {SENT, RECEIVED} or record.unclosed or record.worker is not worker:
            run = TaskRecord(record.series, record.worker, CLOSED, record.seen, record.retries)
            run.unclosed, run.sent, run.eta = record.unclosed, record.sent, record.eta
            run.received = record.received
            run.started = record.started
            _keep(story, run)
        self.aliases.pop(uuid, None)
        if record.state == STARTED and record.worker is not None:
            record.worker.running.pop(uuid, None)
        task_attribution.reseat(record, series)
        record.received = record.started = record.eta = record.expires = None
        record.unclosed = record.retries = 0
        record.polled = False

    # --- what follows ---------------------------------------------------------------------

    def started(self, record: TaskRecord, event: Event, worker: Worker) -> bool:
        """Tell whether a ``task-started`` was of an earlier run, and apply it if so.

        A run that was announced and never received may begin with it.
        """
        story = self.stories[event.uuid]
        at = event.timestamp
        for run in story.earlier:
            if run.started is None and signs.ran_there(run, record, worker, at):
                run.started = at
                run.series.started += 1
                self._waits.ended(run, run.series, at)
                if not run.unclosed and worker is record.worker:
                    story.earlier.remove(run)
                return True
        if worker is not record.worker and self._started_before(story, worker):
            return True
        coming, last = story.coming, record.started
        if (
            coming is not None
            and last is not None
            and at > last
            and at > coming.at - task_waits.NOISE
        ):
            self._hand_on(story, event.uuid, record, coming.series, worker)
            record.sent, story.coming = coming.at, None
            self._records.leave(event.uuid, record, SENT, record.seen)
        return False

    @staticmethod
    def _started_before(story: Story, worker: Worker) -> bool:
        """Count a start on a worker that only had an earlier run: of a retry of that, told late."""
        for run in story.earlier:
            if run.worker is worker:
                run.series.started += 1
                return True
        return False

    def retried(self, event: Event) -> TaskSeries | None:
        """Return the series of an earlier run whose ``task-retried`` this is, if any."""
        story = self.stories.get(event.uuid)
        for run in story.earlier if story is not None else ():
            if run.unclosed:
                run.unclosed -= 1
                return run.series
        return None

    def _story(self, uuid: str) -> Story:
        story = self.stories.get(uuid)
        if story is None:
            if len(self.stories) >= MOST_STORIES:
                del self.stories[next(iter(self.stories))]
            story = self.stories[uuid] = Story()
        return story


def _keep(story: Story, run: TaskRecord) -> None:
    del story.earlier[: max(0, len(story.earlier) - MOST_EARLIER + 1)]
    story.earlier.append(run)
