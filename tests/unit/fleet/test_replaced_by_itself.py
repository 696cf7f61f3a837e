"""Runs of one name and one id on several workers, told in any order, are no redelivery."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from celery_sentinel.events.event import Event
from celery_sentinel.metrics import catalogue
from tests.unit.fleet import test_task_replacements
from tests.unit.fleet.stage import EPOCH, ID, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NAMES = [("dispatch", "dispatch", "charge"), ("dispatch", "dispatch", "dispatch", "charge")]
BOTH = ("w1@host", test_task_replacements.OTHER_WORKER)


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("names", NAMES, ids=["once", "twice"])
def test_given_a_task_that_replaces_itself_across_workers_then_no_order_is_a_redelivery(
    names: tuple[str, ...], announced: bool
) -> None:
    """Wherever each run is, and whichever worker is heard first: it is counted as it was."""
    count = len(names) - 1
    sent = {"sent": 1} if announced else {}
    several = {"sent": count} if announced else {}
    for workers in itertools.product(BOTH, repeat=len(names)):
        for order in merged(self_replaced(names, workers)):
            play = Stage()
            if announced:
                play.fleet.apply(
                    [test_task_replacements.event("sent", 0, name="dispatch", queue="q1")],
                    0.0,
                    EPOCH,
                )
            for one in order:
                copy = Event(**{f: getattr(one, f) for f in one.__struct_fields__})
                play.fleet.apply([copy], play.now, play.wall)
            for number, name in enumerate(names[1:] if announced else ()):
                at = test_task_replacements.event(
                    "sent", 0.31 + 0.3 * number, name=name, queue="q1", parent_id=ID
                )
                play.fleet.apply([at], play.now, play.wall)
            assert test_task_replacements.counted(play) == {
                "dispatch": {**several, "received": count, "started": count},
                "charge": {**sent, "received": 1, "started": 1, "succeeded": 1},
            }, [(one.type, one.timestamp - EPOCH, one.hostname) for one in order]
            assert not sum(play.children(catalogue.TASK_REDELIVERED).values())
            assert not sum(play.children(catalogue.TASKS_IN_FLIGHT).values())


def self_replaced(names: Sequence[str], workers: Sequence[str]) -> list[list[Event]]:
    """Return what each worker says of runs of one id that follow each other by 0.3 s."""
    told: dict[str, list[Event]] = {name: [] for name in BOTH}
    for number, (name, worker) in enumerate(zip(names, workers, strict=True)):
        at, parent = 0.1 + 0.3 * number, {"parent_id": ID} if number else {}
        told[worker] += [
            test_task_replacements.event("received", at, name=name, hostname=worker, **parent),
            test_task_replacements.event("started", at + 0.1, hostname=worker),
        ]
    told[workers[-1]].append(
        test_task_replacements.event("succeeded", 2.0, hostname=workers[-1], runtime=0.1)
    )
    return list(told.values())


def merged(streams: list[list[Event]]) -> Iterator[list[Event]]:
    """Yield the orders in which the events of two streams can come: each keeps its own."""
    first, second = streams
    for chosen in itertools.combinations(range(len(first) + len(second)), len(first)):
        rest = [iter(first), iter(second)]
        yield [next(rest[number not in chosen]) for number in range(len(first) + len(second))]
