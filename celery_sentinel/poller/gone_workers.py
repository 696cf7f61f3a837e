"""Finds out, around a round of questions, whether the process of a silent worker is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel import errors
from celery_sentinel.fleet import worker_gone
from celery_sentinel.fleet.worker import State

if TYPE_CHECKING:
    from collections.abc import Collection

    from celery_sentinel.fleet import model
    from celery_sentinel.remote_control import mailboxes

MOST = 50  # workers looked for at once
FIRST = (0.0, 8.0, 16.0)  # seconds after a worker became suspect, in rounds out of turn
AGAIN = 7.0  # seconds between two of those, whoever they are for


class GoneWorkers:
    """Looks for the mailboxes of those that are silent.

    Out of turn a few times, when one has just become suspect; later with each regular round.
    """

    def __init__(self, looking: mailboxes.Mailboxes, fleet: model.Fleet) -> None:
        self._looking = looking
        self._fleet = fleet
        self._since: dict[str, tuple[float, int]] = {}  # suspect since when, and looks out of turn
        self._last = float("-inf")
        self._names: list[str] = []
        self._asked_at = 0.0
        self._trouble: errors.BrokerError | None = None

    def due(self, now: float) -> bool:
        """Tell whether a round is worth asking now for the sake of new suspects."""
        with self._fleet.lock.reading():
            names = worker_gone.suspects(self._fleet.workers, now, MOST)
        self._since = {name: self._since.get(name, (now, 0)) for name in names}
        return now - self._last >= AGAIN and any(
            looks < len(FIRST) and now - since >= FIRST[looks]
            for since, looks in self._since.values()
        )

    def begin(self, now: float) -> None:
        """Look before a round to all, if there are suspects."""
        self._asked_at, self._names = now, list(self._since)
        if not self._names:
            return
        self._last = now
        self._since = {name: (since, looks + 1) for name, (since, looks) in self._since.items()}
        try:
            self._looking.begin(self._names)
        except errors.BrokerError as error:
            self._failed(error)

    def end(self, answered: Collection[str]) -> None:
        """Look after the round; note who is gone."""
        names = [name for name in self._names if name not in answered]
        self._names = []
        if not names:
            return
        try:
            found = self._looking.gone(names, answered=self._heard_of(answered))
        except errors.BrokerError as error:
            self._failed(error)
            return
        if found:
            self._fleet.note_gone(found, self._asked_at, lasting=self._looking.lasting)

    def _heard_of(self, answered: Collection[str]) -> int:
        """Return how many of those who answered are heard as well: answers may be forged."""
        with self._fleet.lock.reading():
            up = [each.hostname for each in self._fleet.workers if each.state is State.UP]
        return len(set(up) & set(answered))

    def _failed(self, error: errors.BrokerError) -> None:
        """Do without, this time."""
        self._names = []
        self._trouble = error

    def raise_trouble(self) -> None:
        """Raise what went wrong in this round, if anything did: a part of the poll failed."""
        trouble, self._trouble = self._trouble, None
        if trouble is not None:
            raise trouble
