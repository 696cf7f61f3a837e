"""Reads expositions back with prometheus_client, and writes with it what ours is compared to."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

import prometheus_client
from prometheus_client import core, openmetrics, parser, registry
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.utils import floatToGoString

from celery_sentinel.metrics import exposition, samples

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from prometheus_client import metrics_core

EOF_LINE = "# EOF\n"


class Sample(NamedTuple):
    """A sample as a parser gives it; bounds are numbers, NaN is equal to itself."""

    name: str
    labels: tuple[tuple[str, str | float], ...]
    value: float | str


class Parsed(NamedTuple):
    """A family as a parser gives it."""

    name: str
    type: str
    help: str
    unit: str
    samples: tuple[Sample, ...]


def render(families: Sequence[samples.Family], *, as_openmetrics: bool, hold: float = 0.0) -> str:
    """Return our exposition of some families."""
    ours = exposition.Exposition(lambda: families, extra=lambda _: "", hold=hold)
    return ours.render(openmetrics=as_openmetrics).decode()


def parse(text: str, *, as_openmetrics: bool, created: bool = False) -> list[Parsed]:
    """Return what prometheus_client reads; ``_created`` samples only when asked for."""
    read: Any = openmetrics_parser if as_openmetrics else parser
    found = read.text_string_to_metric_families(text)
    return [_parsed(family, created=created) for family in found]


def values(text: str, *, as_openmetrics: bool = False) -> dict[tuple[str, ...], float]:
    """Return the value of each sample by its name and label values."""
    found: dict[tuple[str, ...], float] = {}
    for family in parse(text, as_openmetrics=as_openmetrics, created=True):
        for sample in family.samples:
            key = (sample.name, *(str(value) for _, value in sample.labels))
            assert key not in found, f"{key} is there twice"
            found[key] = float(sample.value)
    return found


def reference(families: Iterable[samples.Family], *, as_openmetrics: bool) -> str:
    """Return prometheus_client's own exposition of the same families."""
    known = prometheus_client.CollectorRegistry(auto_describe=False)
    known.register(_Collector([_translated(family) for family in families]))
    write: Any = openmetrics.exposition if as_openmetrics else prometheus_client
    return str(write.generate_latest(known), "utf-8")


class _Collector(registry.Collector):
    def __init__(self, families: list[metrics_core.Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[metrics_core.Metric]:
        return self._families


def _translated(family: samples.Family) -> metrics_core.Metric:
    metric = family.metric
    kind: Any = {
        "counter": core.CounterMetricFamily,
        "gauge": core.GaugeMetricFamily,
        "histogram": core.HistogramMetricFamily,
    }[metric.type]
    made = kind(metric.family, metric.help, labels=family.labels, unit=metric.unit)
    for labels, value in family.children:
        if isinstance(value, samples.Distribution):
            bounds = map(floatToGoString, (*value.bounds, math.inf))
            buckets = list(zip(bounds, accumulate(value.counts), strict=True))
            made.add_metric(labels, buckets, value.sum)
        else:
            made.add_metric(labels, value)
    return made  # type: ignore[no-any-return]


def _parsed(family: metrics_core.Metric, *, created: bool) -> Parsed:
    found = [
        Sample(sample.name, _labels(sample.labels), _comparable(sample.value))
        for sample in family.samples
        if created or not sample.name.endswith("_created")
    ]
    return Parsed(
        family.name, family.type, family.documentation, family.unit, tuple(sorted(found, key=repr))
    )


def _labels(labels: dict[str, str]) -> tuple[tuple[str, str | float], ...]:
    return tuple((k, float(v) if k == "le" else v) for k, v in sorted(labels.items()))


def _comparable(value: float) -> float | str:
    return "NaN" if math.isnan(value) else float(value)
