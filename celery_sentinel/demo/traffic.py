"""What the customers of the demo's shop want, how often, and when in the day."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping

DAY = 600.0
"""Seconds that a day of the shop lasts."""

SWING = 0.6
"""How far the rate strays from its mean over a day, as a share of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A kind of task to send; ``weight`` is its share of the mix.

    ``options`` are those of ``apply_async``. When ``revoke_after`` is set, the task is revoked
    that many seconds after it was sent, and terminated if it runs already.
    """

    task: str
    weight: int
    fate: str | None = None
    options: Mapping[str, float] = field(default_factory=dict)
    revoke_after: float | None = None

    @property
    def arguments(self) -> dict[str, str]:
        """The keyword arguments of the task."""
        return {} if self.fate is None else {"fate": self.fate}


JOBS = (
    Job(task="shop.orders.validate", weight=220),
    Job(task="shop.orders.validate", weight=6, fate="no_address"),
    Job(task="shop.orders.charge", weight=150),
    Job(task="shop.orders.charge", weight=10, fate="gateway_busy"),
    Job(task="shop.orders.charge", weight=4, fate="gateway_down"),
    Job(task="shop.orders.reserve_stock", weight=150),
    Job(task="shop.orders.reserve_stock", weight=6, fate="deadlock"),
    Job(task="shop.emails.confirm", weight=140, options={"priority": 0}),
    Job(task="shop.emails.confirm", weight=10, fate="greylisted", options={"priority": 0}),
    Job(task="shop.emails.newsletter", weight=150, options={"priority": 9}),
    Job(task="shop.catalogue.thumbnail", weight=90),
    Job(task="shop.catalogue.thumbnail", weight=5, fate="not_a_picture"),
    Job(task="shop.catalogue.reindex", weight=70),
    Job(task="shop.reports.daily", weight=14),
    Job(task="shop.reports.daily", weight=2, fate="warehouse_slow"),
    Job(task="shop.reports.export", weight=2),
    Job(task="shop.reports.export", weight=4, revoke_after=1.5),
    Job(task="shop.carts.remind", weight=12, options={"countdown": 8}),
    Job(task="shop.carts.remind", weight=6, options={"countdown": 6}, revoke_after=2.0),
    # It expires before its eta: the customer bought elsewhere.
    Job(task="shop.carts.remind", weight=4, options={"countdown": 4, "expires": 2}),
)


def jobs(dice: random.Random) -> Iterator[Job]:
    """Yield jobs without end: each kind once, so that all is seen soon, then by weight."""
    yield from JOBS
    weights = [job.weight for job in JOBS]
    while True:
        yield from dice.choices(JOBS, weights)


def rate(mean: float, elapsed: float) -> float:
    """Return the tasks per second to send ``elapsed`` seconds after the start."""
    return mean * (1 + SWING * math.sin(math.tau * elapsed / DAY))
