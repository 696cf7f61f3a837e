"""A scrape must not hold up the receiver: the lock is taken for one portion at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from celery_sentinel.fleet import model

T = TypeVar("T")

PORTION = 128  # some 1 ms under the lock


def of(fleet: model.Fleet, things: Iterable[T]) -> Iterator[T]:
    """Yield each thing with the fleet's lock held, letting go of it between portions.

    What the caller does with a thing is one consistent view of it.
    """
    with fleet.lock.reading():
        everything = list(things)
    for start in range(0, len(everything), PORTION):
        with fleet.lock.reading():
            yield from everything[start : start + PORTION]
