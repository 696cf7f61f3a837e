"""Reads an exposition back with the parsers of prometheus_client."""

from __future__ import annotations

from typing import Any

from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser


def check(exposition: bytes, *, as_openmetrics: bool) -> None:
    """Fail unless all of it parses, each sample is there once and no counter is negative."""
    read: Any = openmetrics_parser if as_openmetrics else parser
    seen = set()
    for family in read.text_string_to_metric_families(exposition.decode()):
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in seen, f"{key} is there twice"
            seen.add(key)
            if sample.name.endswith(("_total", "_bucket", "_count")):
                assert sample.value >= 0, key
