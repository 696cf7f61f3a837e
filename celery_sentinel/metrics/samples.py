"""What collectors hand to the exposition: families of children, not yet text."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from celery_sentinel.metrics import catalogue


class Distribution(NamedTuple):
    """A histogram's state: upper bounds, a count per bucket (one more, for +Inf), the sum."""

    bounds: tuple[float, ...]
    counts: Sequence[int]
    sum: float


class Family(NamedTuple):
    """One metric and its children: pairs of label values, in the order of ``labels``, and value."""

    metric: catalogue.Metric
    labels: tuple[str, ...]
    children: Sequence[tuple[tuple[str, ...], float | Distribution]]


def family(
    metric: catalogue.Metric, children: Sequence[tuple[tuple[str, ...], float | Distribution]]
) -> Family:
    """Return a family with the labels its metric declares."""
    return Family(metric, metric.labels, children)


def single(metric: catalogue.Metric, value: float | None) -> Family:
    """Return the family of a metric without labels; absent when ``value`` is None."""
    return Family(metric, (), [] if value is None else [((), value)])
