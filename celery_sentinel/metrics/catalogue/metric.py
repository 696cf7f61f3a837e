"""What a metric declares of itself."""

from __future__ import annotations

from typing import Literal

import msgspec

Type = Literal["counter", "gauge", "histogram"]
Group = Literal["tasks", "workers", "queues", "objectives", "sentinel"]


class Metric(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One metric.

    ``name`` is the name of its samples in the text format (a counter ends in ``_total``);
    ``source`` is the event or poll it is drawn from. A child of a ``zero_born`` metric is
    exposed as 0 before its value, so that ``increase()`` sees its first step; counters that
    carry a value from before we watched are not. A ``by_hostname`` metric gains the label
    ``hostname`` when ``tasks.labels`` asks for it; a ``compat`` one appears only with
    ``metrics.compat``.
    """

    group: Group
    type: Type
    name: str
    help: str
    source: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    zero_born: bool = False
    by_hostname: bool = False
    compat: bool = False

    @property
    def family(self) -> str:
        """The name OpenMetrics gives the family: a counter's without ``_total``."""
        return self.name.removesuffix("_total") if self.type == "counter" else self.name
