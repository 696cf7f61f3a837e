"""Writes the catalogue of metrics for people: as aligned lines and as a page of Markdown."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from celery_sentinel.metrics import catalogue

_INTRODUCTION = """\
# Metrics

<!-- Written by `celery-sentinel metrics --format markdown`; edit the catalogue, not this page. -->

Every metric that celery-sentinel exposes. What it cannot know is absent or `unknown`, never 0.
Timestamps are Unix seconds. \u2020 marks metrics that gain the label `hostname` when `tasks.labels`
in the config file asks for it, \u2021 those that appear only with `metrics.compat`.
"""
_HEADINGS = ("metric", "type", "labels", "unit", "from", "meaning")


def text(metrics: Sequence[catalogue.Metric]) -> Iterator[str]:
    """Yield one line for each metric: name, type, labels, meaning."""
    rows = [(metric.name, metric.type, _labels(metric), metric.help) for metric in metrics]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def markdown(metrics: Sequence[catalogue.Metric]) -> Iterator[str]:
    """Yield the lines of a page with a table for each group."""
    yield from _INTRODUCTION.splitlines()
    for group, members in itertools.groupby(metrics, key=lambda metric: metric.group):
        yield from ("", f"## {group.capitalize()}", "", _row(_HEADINGS))
        yield _row(["---"] * len(_HEADINGS))
        yield from map(_metric_row, members)


def _labels(metric: catalogue.Metric) -> str:
    return f"{{{','.join(metric.labels)}}}" if metric.labels else "-"


def _metric_row(metric: catalogue.Metric) -> str:
    marks = (" \u2020" if metric.by_hostname else "") + (" \u2021" if metric.compat else "")
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    name = f"`{metric.name}`{marks}"
    return _row((name, metric.type, labels, metric.unit, metric.source, metric.help))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
