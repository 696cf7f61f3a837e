"""A task that is retried and then replaced by one elsewhere counts as it ran, in whatever order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import Stage
from tests.unit.fleet.test_task_replacements import OTHER_WORKER, counted, event

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST, SECOND = {"hostname": "w1@host"}, {"hostname": OTHER_WORKER}
CHARGE = {"name": "charge", "queue": "bank"}
# What is said, by a short name: of a worker's two attempts its main process says what it receives
# as it comes, and what its pool tells as it gets to it; task-sent comes from the pool itself.
SAID: dict[str, tuple[str, dict[str, Any]]] = {
    "received": ("received", {"name": "dispatch", **FIRST}),
    "started": ("started", FIRST),
    "retried": ("retried", FIRST),
    "received again": ("received", {"name": "dispatch", "retries": 1, **FIRST}),
    "started again": ("started", FIRST),
    "sent again": ("sent", {"name": "dispatch", "queue": "q1", "retries": 1}),
    "sent charge": ("sent", {**CHARGE, "parent_id": True}),
    "received charge": ("received", {"name": "charge", "parent_id": True, **SECOND}),
    "started charge": ("started", SECOND),
    "ended charge": ("succeeded", {"runtime": 0.1, **SECOND}),
}
AFTER = {
    "started": ["received"],
    "retried": ["started"],
    "received again": ["received"],
    "started again": ["retried", "received again"],
    "sent again": ["received"],
    "sent charge": ["sent again", "received again"],
    "received charge": ["received again"],
    "started charge": ["received charge"],
    "ended charge": ["started charge"],
}


def orders(done: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the orders in which all can be said."""
    if len(done) == len(SAID):
        yield done
    for one in SAID:
        if one not in done and all(before in done for before in AFTER.get(one, [])):
            yield from orders((*done, one))


def test_no_order_moves_a_start_to_the_other_name() -> None:
    """Also where the next attempt is received before the first is heard to start."""
    tried = 0
    for order in orders():
        tried += 1
        play = Stage()
        play.fleet.apply([event("sent", 0, name="dispatch", queue="q1")], play.now, play.wall)
        for number, said in enumerate(order, start=1):
            kind, fields = SAID[said]
            if fields.get("parent_id"):
                fields = fields | {"parent_id": event("sent", 0).uuid}
            play.fleet.apply([event(kind, 0.1 * number, **fields)], play.now, play.wall)
        assert counted(play) == {
            "dispatch": {"sent": 2, "received": 2, "started": 2},
            "charge": {"sent": 1, "received": 1, "started": 1, "succeeded": 1},
        }, order
        assert not sum(play.children(catalogue.TASK_REDELIVERED).values()), order
        assert not sum(play.children(catalogue.TASKS_IN_FLIGHT).values()), order
    assert tried == 1150
