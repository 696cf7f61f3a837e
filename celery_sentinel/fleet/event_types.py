"""The types of events that are known: what applies each, and how many of it there were."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from celery_sentinel.events.event import Event

    Handler = Callable[[Event], None]


class Kind:
    """One type of event."""

    __slots__ = ("apply", "count")

    def __init__(self, apply: Handler) -> None:
        self.apply = apply
        self.count = 0


OTHER = "other"


class EventTypes(dict[str, Kind]):
    """The kinds by their names in events; any other name is of one that does nothing.

    A name such as ``task-progress`` is an event of the application's own or of workers among
    themselves: ``other``. One that is none of a group is ``unknown``. The look-up never fails,
    so the event path has nothing to test.
    """

    __slots__ = ("unknown",)

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        super().__init__((name, Kind(handler)) for name, handler in handlers.items())
        self[OTHER] = Kind(_ignore)
        self.unknown = Kind(_ignore)

    def __missing__(self, name: str) -> Kind:
        return self[OTHER] if "-" in name else self.unknown

    @property
    def counts(self) -> dict[str, int]:
        """How many events of each known type there were."""
        return {name: kind.count for name, kind in self.items()}

    def load(self, counts: Mapping[str, int], unknown: int) -> None:
        """Take over how many events there were before a restart."""
        for name, kind in self.items():
            kind.count = counts.get(name, 0)
        self.unknown.count = unknown


def _ignore(_: Event) -> None:
    pass
