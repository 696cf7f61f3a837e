"""What is said of a worker: one table over what is known of it, shown in how-it-counts.md."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

NOT_ANSWERING = "not_answering"
NOT_CONSUMING = "not_consuming"
NO_PROGRESS = "no_progress"
REASONS = (NOT_ANSWERING, NOT_CONSUMING, NO_PROGRESS)

# Pools in which the work of a task leaves the worker free to beat and to answer.
FREE_POOLS = ("prefork", "threads", "gevent", "eventlet")
SOLO = "solo"
OTHER = "other"  # of another or no name, and heard to beat while it ran a task
UNKNOWN = "unknown"


class Facts(NamedTuple):
    """What is known of a worker, in the words of VALUES; how-it-counts.md says what each means.

    ``gone`` is about the process that ran its tasks: yes when that is known to be no more.
    """

    heard: str
    answers: str = UNKNOWN
    consumes: str = UNKNOWN
    progresses: str = UNKNOWN
    gone: str = "no"
    pool: str = UNKNOWN


class Verdict(NamedTuple):
    """What is said of it: None is nothing at all, and ``wedged`` "" that it is not."""

    up: int | None
    responding: int | None = None
    wedged: str | None = None
    lost: bool = False


VALUES: Mapping[str, tuple[str, ...]] = {
    "heard": ("beats", "silent", "ours", "never", "goodbye"),
    "answers": ("yes", "missed", "no", "never", UNKNOWN),
    "consumes": ("yes", "no", UNKNOWN),
    "progresses": ("yes", "no", UNKNOWN),
    "gone": ("yes", "no"),
    "pool": (*FREE_POOLS, OTHER, SOLO, UNKNOWN),
}

_STALLED = {"progresses": ("no",), "pool": (*FREE_POOLS, OTHER, UNKNOWN)}

# The first row whose values all hold says what is said; a column that is not named may hold any.
_ROWS: tuple[tuple[dict[str, tuple[str, ...]], Verdict], ...] = (
    ({"heard": ("goodbye", "ours", "never")}, Verdict(None)),
    ({"heard": ("silent",), "gone": ("yes",)}, Verdict(0, lost=True)),
    ({"heard": ("silent",), "pool": (*FREE_POOLS, OTHER)}, Verdict(0, lost=True)),
    ({"heard": ("silent",)}, Verdict(None)),
    ({"answers": (UNKNOWN,)}, Verdict(1)),
    ({"answers": ("never",)}, Verdict(1, 0, "")),
    ({"answers": ("no",), "pool": (*FREE_POOLS, OTHER)}, Verdict(1, 0, NOT_ANSWERING)),
    ({"answers": ("no",)}, Verdict(1, 0, "")),
    ({"answers": ("missed",), "consumes": ("no",)}, Verdict(1, 0, NOT_CONSUMING)),
    ({"answers": ("yes",), "consumes": ("no",)}, Verdict(1, 1, NOT_CONSUMING)),
    ({"answers": ("missed",), **_STALLED}, Verdict(1, 0, NO_PROGRESS)),
    ({"answers": ("yes",), **_STALLED}, Verdict(1, 1, NO_PROGRESS)),
    ({"answers": ("missed",)}, Verdict(1, 0, "")),
    ({}, Verdict(1, 1, "")),
)


@functools.cache
def of(facts: Facts) -> Verdict:
    """Return what is said of a worker of which these facts are known."""
    told = facts._asdict()
    return next(
        found
        for row, found in _ROWS
        if all(told[column] in allowed for column, allowed in row.items())
    )


def tasks_lost(facts: Facts) -> bool:
    """Tell whether what it ran is lost: where, and only where, its process is known to be gone."""
    return facts.gone == "yes"
