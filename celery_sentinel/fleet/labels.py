"""Label values come from strangers: this bounds how many there are and what they may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

UNKNOWN = "unknown"
OTHER = "__other__"
MAX_LENGTH = 250

_FORBIDDEN = dict.fromkeys((0, *range(0xD800, 0xE000)), "\ufffd")


def clean(value: str) -> str:
    """Return ``value`` as valid, bounded text: no NUL, no lone surrogate, 250 characters."""
    if len(value) > MAX_LENGTH:
        value = value[: MAX_LENGTH - 1] + "…"
    return value.translate(_FORBIDDEN)


class LabelSet:
    """The admitted values of one label, at most ``limit`` of them; the rest are ``__other__``.

    When all places are taken, ``make_room`` is asked to remove one. ``overflow`` counts admissions
    refused, which is events, not values: the values themselves are not remembered.
    """

    __slots__ = ("_admitted", "_make_room", "limit", "overflow")

    def __init__(self, limit: int, make_room: Callable[[], bool] | None = None) -> None:
        self.limit = limit
        self._make_room = make_room
        self.overflow = 0
        self._admitted: dict[str, str] = {UNKNOWN: UNKNOWN, OTHER: OTHER}

    def __iter__(self) -> Iterator[str]:
        """Yield the values admitted by name, not those that stand for many."""
        return (value for value in self._admitted if value not in {UNKNOWN, OTHER})

    def __len__(self) -> int:
        return len(self._admitted)

    def __contains__(self, value: object) -> bool:
        return value in self._admitted

    @property
    def full(self) -> bool:
        """Whether all places are taken."""
        return len(self._admitted) - 2 >= self.limit

    def remove(self, value: str) -> None:
        """Free the place of a value that is admitted."""
        del self._admitted[value]

    def load(self, values: Iterable[str], overflow: int) -> None:
        """Admit what was admitted before a restart, as far as today's limit goes."""
        for value in values:
            self.admit(value)
        self.overflow = overflow

    def admit(self, value: str) -> str:
        """Return the label for ``value``."""
        label = self._admitted.get(value)
        if label is not None:
            return label
        value = clean(value)
        label = self._admitted.get(value)
        if label is not None:
            return label
        if self.full and not (self._make_room is not None and self._make_room()):
            self.overflow += 1
            return OTHER
        self._admitted[value] = value
        return value
