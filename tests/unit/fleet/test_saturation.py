"""Once every table is full, more of the same makes nothing in the model grow."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from typing import Any

from celery_sentinel.config import schema
from tests.unit.fleet import stage

CONFIG = schema.Config(
    tasks=schema.Tasks(max_records=300),
    metrics=schema.Metrics(
        limits=schema.Limits(names=20, queues=10, workers=15, exceptions=5, series=40)
    ),
)
FLOOD = 8000  # events; enough to fill every table
TYPES = (
    *("task-sent", "task-received", "task-started", "task-succeeded", "task-failed"),
    *("task-retried", "task-rejected", "task-revoked", "task-cancelled", "task-custom"),
    *("worker-heartbeat", "worker-heartbeat", "worker-online", "worker-offline"),
)
NUMBERS = (None, 0, 1, 7, -1, 2**63 - 1, 2**63)


def flood(play: stage.Stage, chosen: random.Random, first: int) -> None:
    """Play events whose every field is now and then one that was never there before."""
    for number in range(first, first + FLOOD):
        new = f"{number}"
        fields = {
            "hostname": chosen.choice((*(f"w{n}@h" for n in range(8)), new)),
            "pid": chosen.choice((*NUMBERS, -number, number)),
            "clock": chosen.choice((*NUMBERS[:-1], -number, number, number)),
            "uuid": chosen.choice((f"u{number % 50}", new)),
            "name": chosen.choice((None, "a", "b", new)),
            "queue": chosen.choice((None, "q", new)),
            "exception": f"E{number % 300}('x')",
            "processed": chosen.choice((*NUMBERS, number, number)),
            "active": chosen.choice(NUMBERS),
            "freq": chosen.choice((None, 2.0, 0.0, 1e300)),
        }
        play.hear(chosen.choice(TYPES), **{key: it for key, it in fields.items() if it is not None})
        if number % 40 == 0:
            play.jump(0.5)
            play.tick()
        if number % 200 == 0:
            started = {f"n{number + more}": number for more in range(20)}
            play.answer(f"w{number % 9}@h", pid=7, clock=number, started=started, queues=(new,))


def sizes(root: object) -> Counter[str]:
    """Return how many things are in the containers that can be reached, by where they are."""
    found: Counter[str] = Counter()
    seen: set[int] = set()
    waiting: list[tuple[Any, str]] = [(root, "fleet")]
    while waiting:
        one, path = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, Mapping | list | tuple | set | frozenset | deque):
            found[path] += len(one)
            inside = one.values() if isinstance(one, Mapping) else one
            waiting.extend((each, f"{path}[]") for each in inside)
        elif type(one).__module__.startswith("celery_sentinel"):
            waiting.extend((value, f"{path}.{name}") for name, value in attributes(one))
    return found


def attributes(one: object) -> Iterator[tuple[str, Any]]:
    """Yield what an object holds, in slots or otherwise."""
    names = [name for kind in type(one).__mro__ for name in getattr(kind, "__slots__", ())]
    for name in (*names, *getattr(one, "__dict__", ())):
        if hasattr(one, name):
            yield name, getattr(one, name)


def test_a_model_that_is_full_grows_no_more() -> None:
    """A second flood like the first leaves every container about as large as it was."""
    play, chosen = stage.Stage(CONFIG), random.Random(4)
    flood(play, chosen, 0)
    before = sizes(play.fleet)
    flood(play, chosen, FLOOD)
    after = sizes(play.fleet)
    grown = {
        path: (before[path], count)
        for path, count in after.items()
        if count > 1.25 * before[path] + 50
    }
    assert grown == {}
    assert play.fleet.failures == 0
    assert sum(before.values()) > 2000, "the walk finds what there is"
