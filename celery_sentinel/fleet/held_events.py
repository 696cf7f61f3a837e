"""A worker's events may overtake what names their queue: they are held for a moment."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from celery_sentinel.events.event import Event

MOMENT = 2.0  # seconds
MOST_EVENTS = 20_000
MOST_EACH = 16  # events of one task
MOST_TEXT = 16_384  # characters of a traceback
FIRST, EARNED = 3, 20


class Held:
    """Events, by task id, of tasks that nothing has named yet; a scrape sees them when applied.

    Only where waiting has a chance: of each name the ``FIRST`` tasks are held, and for each one
    that a task-sent has named in time ``EARNED`` more. So a fleet whose producers send none is
    counted at once. Events of which not even the task's name is known share the name None.
    """

    __slots__ = ("_chances", "_count", "_due", "_names", "by_id")

    def __init__(self, names: int) -> None:
        self._names = names  # at most so many have chances of their own
        self.by_id: dict[str, list[Event]] = {}
        self._due: deque[tuple[float, str, list[Event]]] = deque()
        self._chances: dict[str | None, int] = {}
        self._count = 0

    def take(self, event: Event, now: float) -> bool:
        """Hold an event received at monotonic ``now``; False if it is to be applied at once."""
        found = self.by_id.get(event.uuid)
        if found is not None:
            if len(found) >= MOST_EACH or self._count >= MOST_EVENTS:
                return False
            found.append(event)
        elif self._count >= MOST_EVENTS or not self._is_worth_it(event.name):
            return False
        else:
            found = self.by_id[event.uuid] = [event]
            self._due.append((now + MOMENT, event.uuid, found))
        self._count += 1
        return len(event.traceback or "") <= MOST_TEXT or self._give_back(found)

    def _give_back(self, found: list[Event]) -> bool:
        """Return the event that has just been taken: it is too large to keep."""
        event = found.pop()
        self._count -= 1
        if not found:
            del self.by_id[event.uuid]
        return False

    def _is_worth_it(self, name: str | None) -> bool:
        chances = self._chances.get(name)
        if chances is None:
            if len(self._chances) >= self._names:
                return False
            chances = self._chances[name] = FIRST
        return chances > 0

    def worth(self, name: str | None) -> None:
        """Note that waiting for a task of that name was, or would have been, worth it."""
        if name in self._chances or len(self._chances) < self._names:
            self._chances[name] = EARNED

    def release(self, uuid: str) -> list[Event]:
        """Return what was held of a task, in the order in which it happened."""
        found = self.by_id.pop(uuid, [])
        self._count -= len(found)
        if len({event.hostname for event in found}) == 1:
            found.sort(key=_moment)
        return found

    def due(self, now: float) -> Iterator[str]:
        """Yield the tasks whose moment is over, each time one is to be released."""
        while self._due and self._due[0][0] <= now:
            _, uuid, found = self._due.popleft()
            if self.by_id.get(uuid) is found:
                name = found[0].name
                self._chances[name] = self._chances.get(name, FIRST) - 1
                yield uuid

    def everything(self) -> list[Event]:
        """Return all that is held, for the next process to hold on to."""
        return [event for found in self.by_id.values() for event in found]


def _moment(event: Event) -> float:
    return event.timestamp
