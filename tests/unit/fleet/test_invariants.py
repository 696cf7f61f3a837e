"""Whatever comes in whatever order, the model's numbers agree with each other."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from hypothesis import given, settings, strategies as st

from celery_sentinel import poll_results
from celery_sentinel.config import schema
from celery_sentinel.events.event import Event
from celery_sentinel.fleet import task_series
from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import EPOCH, Stage

TASK_TYPES = {
    "task-sent": catalogue.TASK_SENT,
    "task-received": catalogue.TASK_RECEIVED,
    "task-started": catalogue.TASK_STARTED,
    "task-succeeded": catalogue.TASK_SUCCEEDED,
    "task-failed": catalogue.TASK_FAILED,
    "task-retried": catalogue.TASK_RETRIED,
    "task-revoked": catalogue.TASK_REVOKED,
    "task-rejected": catalogue.TASK_REJECTED,
    "task-cancelled": catalogue.TASK_CANCELLED,
}
STATES = {task_series.SENT, task_series.RECEIVED, task_series.STARTED, task_series.AWAITED}

BROADCAST = "bcast.604d40c0-e3ed-467f-ac0c-9d5e2e1761d1"

offsets = st.floats(-20, 20)
hostnames = st.sampled_from(["w1@a", "w2@a", "w3@b", ""])
task_events = st.builds(
    Event,
    type=st.sampled_from(list(TASK_TYPES)),
    uuid=st.sampled_from(["1", "2", "3"]),
    hostname=hostnames,
    name=st.sampled_from([None, "a", "b", "c", ""]),
    parent_id=st.sampled_from([None, "1", "2"]),
    queue=st.sampled_from([None, "q1", "q2", "q3", BROADCAST]),
    exchange=st.sampled_from([None, "", "bc"]),
    routing_key=st.sampled_from([None, "q1"]),
    retries=st.integers(0, 3),
    eta=st.sampled_from([None, "2023-11-14T22:13:30+00:00", "nonsense"]),
    expires=st.sampled_from([None, "2023-11-14T22:13:30+00:00", "nonsense"]),
    runtime=st.one_of(st.none(), offsets),
    exception=st.sampled_from([None, "ValueError()", "NotRegistered('x')"]),
    requeue=st.sampled_from([None, True, False]),
    timestamp=st.one_of(st.just(0.0), offsets.map(lambda offset: EPOCH + offset)),
)
worker_events = st.builds(
    Event,
    type=st.sampled_from(["worker-online", "worker-heartbeat", "worker-offline"]),
    hostname=hostnames,
    pid=st.sampled_from([None, 1, 2]),
    active=st.sampled_from([None, 0, 1]),
    processed=st.one_of(st.none(), st.integers(-1, 9)),
    timestamp=offsets.map(lambda offset: EPOCH + offset),
)


class Round(NamedTuple):
    """What workers answered, asked so many seconds ago; ``among`` as for ``apply_answers``."""

    found: list[poll_results.WorkerReading]
    took: float
    among: list[str] | None


active_tasks = st.builds(
    poll_results.ActiveTask,
    task_id=st.sampled_from(["1", "2", "3", "4", ""]),
    name=st.sampled_from([None, "a", "d"]),
    queue=st.sampled_from([None, "q1", "q4"]),
    started_at=st.sampled_from([None, -1.0, EPOCH, float("nan")]),
)
worker_readings = st.builds(
    poll_results.WorkerReading,
    hostname=hostnames,
    pid=st.sampled_from([None, 1, 2]),
    pool=st.sampled_from([None, "prefork", "solo"]),
    concurrency=st.sampled_from([None, -1, 1, 2**70]),
    queues=st.sampled_from([None, (), ("q1",), ("q1", "q2", "q1"), ("",), (BROADCAST, "q1")]),
    bindings=st.sampled_from(
        [
            (),
            (poll_results.Binding(queue=BROADCAST, exchange="bc", type="fanout", key=""),),
            (poll_results.Binding(queue="q1", exchange="bc", type="topic", key="q.#"),),
        ]
    ),
    reserved=st.sampled_from([None, 0, 5]),
    active=st.one_of(st.none(), st.lists(active_tasks, max_size=4).map(tuple)),
    answers=st.integers(1, 2),
)
rounds = st.builds(
    Round,
    found=st.lists(worker_readings, max_size=3),
    took=st.floats(0, 10),
    among=st.one_of(st.none(), st.lists(hostnames, max_size=2)),
)
Step = Event | Round | float
steps = st.lists(st.one_of(task_events, worker_events, st.floats(0.1, 40)), max_size=60)
steps_and_rounds = st.lists(
    st.one_of(task_events, worker_events, rounds, st.floats(0.1, 40)), max_size=60
)
configs = st.sampled_from(
    [
        schema.Config(),
        schema.Config(tasks=schema.Tasks(labels=("hostname",), max_records=2)),
        schema.Config(
            metrics=schema.Metrics(limits=schema.Limits(names=1, queues=1, workers=1, series=2)),
            tasks=schema.Tasks(ttl=schema.Seconds(60), grace=schema.Seconds(1)),
        ),
    ]
)


def open_records(play: Stage) -> Counter[int]:
    """Return how many records are in each state in which they have not ended."""
    found = Counter(record.state for record in play.fleet.records.by_id.values())
    del found[task_series.CLOSED]
    return found


def in_flight(play: Stage) -> Counter[int]:
    """Return the sums of ``in_flight``; CLOSED is not kept."""
    found: Counter[int] = Counter()
    for one in play.fleet.series:
        for state in STATES:
            assert one.in_flight[state] >= 0
            found[state] += one.in_flight[state]
    return +found


def running(play: Stage) -> set[int]:
    """Return the identities of the records that workers are said to run."""
    everybody = [*play.fleet.workers, play.fleet.workers.overflowed]
    found = [id(record) for worker in everybody for record in worker.running.values()]
    assert len(found) == len(set(found)), "one task runs on two workers"
    return set(found)


def started(play: Stage) -> set[int]:
    """Return the identities of the records in state STARTED."""
    records = play.fleet.records.by_id.values()
    return {id(record) for record in records if record.state == task_series.STARTED}


def take(play: Stage, step: Step) -> None:
    """Let a step happen to the fleet."""
    if isinstance(step, float):
        play.jump(step)
        play.tick()
    elif isinstance(step, Round):
        asked_at = play.now
        play.jump(step.took)
        play.fleet.apply_answers(
            step.found, asked_at=asked_at, now=play.now, wall=play.wall, among=step.among
        )
    else:
        play.fleet.apply([step], play.now, play.wall)


@settings(max_examples=300, deadline=None)
@given(config=configs, script=steps_and_rounds)
def test_given_any_events_and_answers_then_states_flights_and_running_tasks_agree(
    config: schema.Config, script: list[Step]
) -> None:
    """In flight is what the records say; what a worker runs is what has started, there."""
    play = Stage(config)
    for step in script:
        take(play, step)
        assert in_flight(play) == open_records(play)
        assert running(play) == started(play)
        for worker in (*play.fleet.workers, play.fleet.workers.overflowed):
            assert all(record.worker is worker for record in worker.running.values())
    assert play.fleet.failures == 0


@settings(max_examples=150, deadline=None)
@given(config=configs, script=steps_and_rounds)
def test_given_any_events_and_answers_then_everything_can_be_shown(
    config: schema.Config, script: list[Step]
) -> None:
    """Every metric has each child once, of valid text; gauges of numbers are not negative."""
    play = Stage(config)
    for step in script:
        take(play, step)
    for metric in catalogue.METRICS:
        if metric.group in {"workers", "queues"} and "result_backend" not in metric.name:
            for labels, value in play.children(metric).items():
                assert all(label.encode() for label in labels)
                assert value >= 0 or metric is catalogue.WORKER_CLOCK_SKEW, metric.name
    busy = play.children(catalogue.QUEUE_SLOTS_BUSY)
    slots = play.children(catalogue.QUEUE_SLOTS)
    assert busy.keys() >= slots.keys()
    assert all(busy[queue] <= slots[queue] for queue in slots)


@settings(max_examples=150, deadline=None)
@given(script=steps_and_rounds)
def test_given_any_answers_then_they_change_no_counter(script: list[Step]) -> None:
    """Answers say what is; what happened is counted from events alone."""
    play = Stage()
    for step in script:
        take(play, step)
    counts = Counter(step.type for step in script if isinstance(step, Event))
    for type_, metric in TASK_TYPES.items():
        assert play.total(metric) == counts[type_], type_


@settings(max_examples=200, deadline=None)
@given(config=configs, script=steps)
def test_given_any_events_then_every_counter_is_the_number_of_its_events(
    config: schema.Config, script: list[Event | float]
) -> None:
    """Over all series each counter adds up to the events of its type, limits or not."""
    play = Stage(config)
    told = [step for step in script if isinstance(step, Event)]
    play.fleet.apply(told, play.now, play.wall)
    counts = Counter(event.type for event in told)
    for type_, metric in TASK_TYPES.items():
        assert play.total(metric) == counts[type_], type_
        assert play.value(catalogue.EVENTS, type_) == counts[type_]


@settings(max_examples=100, deadline=None)
@given(script=steps)
def test_given_any_events_then_no_counter_of_a_worker_falls(
    script: list[Event | float],
) -> None:
    """Processed tasks, restarts and losses only grow, whatever processes share a name."""
    play = Stage()
    before: dict[str, tuple[int, int]] = {}
    lost = 0
    for step in script:
        if isinstance(step, float):
            play.jump(step)
            play.tick()
        else:
            play.fleet.apply([step], play.now, play.wall)
        now = {w.hostname: (w.processed or 0, w.restarts) for w in play.fleet.workers}
        for hostname, (processed, restarts) in now.items():
            least = before.get(hostname, (0, 0))
            assert processed >= least[0]
            assert restarts >= least[1]
        assert play.fleet.workers.lost >= lost
        before, lost = now, play.fleet.workers.lost
