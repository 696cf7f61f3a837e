"""Numbers that pages promise are those that were measured, or that there are."""

from __future__ import annotations

import pathlib
import re

import pytest

from tests import promql
from tests.unit import test_kubernetes

ROOT = pathlib.Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "RESULTS.md"


def cells(text: str, first: str) -> list[str]:
    """Return what stands behind the first cell of the only row of a table that begins so."""
    [row] = re.findall(rf"^\| {re.escape(first)} +\|(.*)\|$", text, re.MULTILINE)
    return [cell.strip() for cell in row.split("|")]


def spent(broker: str, contestant: str) -> str:
    """Return the CPU seconds for 100,000 events that RESULTS.md has, at a pace all survive."""
    heading = f"### {broker}, worker events in twos, 3,500 messages a second\n"
    section = RESULTS.read_text().split(heading)[1].split("\n### ")[0]
    return cells(section, contestant)[0]


@pytest.mark.parametrize(
    ("line", "broker"),
    [
        ("CPU for 100,000 events, Redis, in twos, at a pace it survives", "Redis"),
        ("the same on RabbitMQ", "RabbitMQ"),
    ],
)
def test_the_comparison_is_what_was_measured(line: str, broker: str) -> None:
    """README repeats the results of today: after `make bench` it is to be changed as well."""
    measured = [f"{spent(broker, one)} s" for one in ("celery-exporter", "celery-sentinel")]
    assert cells((ROOT / "README.md").read_text(), line) == measured


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md"])
def test_the_alerts_are_counted(page: str) -> None:
    """As many alerts are promised as there are in the pack."""
    told = re.findall(r"\b(\d+) alerts\b", (ROOT / page).read_text())
    assert set(told) == {str(len(promql.alerts()))}


def test_images_are_tagged_with_the_version_of_the_package() -> None:
    """What is built and run by hand is what the manifests of Kubernetes name."""
    page = (ROOT / "docs" / "deploy.md").read_text()
    tags = re.findall(r"\bcelery-sentinel:(\d[\w.]*\d)", page)
    assert set(tags) == {test_kubernetes.version()}
