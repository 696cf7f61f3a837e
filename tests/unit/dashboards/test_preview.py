"""The previews read as Grafana would show it, whatever names and values they are given."""

from __future__ import annotations

import copy
import math
import pathlib
from typing import Any

import pytest

from grafana.preview import asking, axes, blocks, fields, stamp, units
from tests import dashboards

PICTURES = pathlib.Path(__file__).parents[3] / "docs" / "images"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0433, "percentunit", "4.33%"),
        (0.000227, "s", "227 µs"),
        (0.37, "s", "370 ms"),
        (111, "s", "1.85 mins"),
        (0, "s", "0 s"),
        (1120, "short", "1.12 K"),
        (60e6, "bytes", "57.2 MiB"),
        (15.43, "cps", "15.4 c/s"),
        (0.005, "cps", "0.005 c/s"),
        (3, "none", "3"),
        (math.nan, "s", "NaN"),
    ],
)
def test_values_have_their_unit(value: float, unit: str, text: str) -> None:
    """Three digits that count, and the unit that people read."""
    assert units.text(value, unit) == text


@pytest.mark.parametrize(
    ("unit", "most", "texts"),
    [
        ("bytes", 60 * 2**20, ["0", "20 MiB", "40 MiB", "60 MiB"]),
        ("bytes", 900 * 2**20, ["0", "200 MiB", "400 MiB", "600 MiB", "800 MiB"]),
        ("short", 60, ["0", "20", "40", "60"]),
        ("percentunit", 0.5, ["0%", "10%", "20%", "30%", "40%", "50%"]),
    ],
)
def test_ticks_are_round_in_their_unit(unit: str, most: float, texts: list[str]) -> None:
    """What stands at an axis is a number that people would choose."""
    axis = axes.Scale("linear", [most]).axis(unit)
    assert [text.strip() for text in axis["ticktext"]] == texts


@pytest.mark.parametrize("dashboard", dashboards.every(), ids=lambda one: one["uid"])
def test_the_picture_is_of_the_dashboard_of_today(dashboard: dashboards.Dashboard) -> None:
    """Its panels have the titles and places that the picture in docs/ shows: or `make pictures`."""
    name = f"dashboard-{dashboard['uid'].removeprefix('celery-')}.png"
    assert stamp.read(PICTURES / name) == stamp.of(dashboard)
    moved = copy.deepcopy(dashboard)
    moved["panels"][1]["title"] += " then"
    assert stamp.of(moved) != stamp.of(dashboard)


def test_a_picture_of_something_else_is_of_no_dashboard() -> None:
    """The page of the daemon itself was drawn by nobody here."""
    assert stamp.read(PICTURES / "landing-page.png") is None


def test_a_missing_point_is_a_hole() -> None:
    """A line is not drawn over a time of which nothing is known."""
    _, heights = axes.with_holes([(0, 1.0), (5, 2.0), (20, 3.0)], 5, lambda value: value)
    assert heights == [1.0, 2.0, None, 3.0]


def test_a_state_lasts_until_it_changes() -> None:
    """Points of one value that follow each other are one bar; a missing one ends it."""
    points = [(0, 1.0), (5, 1.0), (10, 0.0), (25, 0.0)]
    assert axes.runs(points, 5) == [(0, 10, 1.0), (10, 15, 0.0), (25, 30, 0.0)]


def test_rows_join_by_the_labels_they_share() -> None:
    """Queries of a table become one row for each thing, also where one of them knows more."""
    first = [
        asking.Series({"hostname": "a"}, [(0, 1.0)]),
        asking.Series({"hostname": "b"}, [(0, 0)]),
    ]
    second = [asking.Series({"hostname": "b", "pool": "solo"}, [(0, 7.0)])]
    assert blocks.joined([first, second]) == [
        {"hostname": "a", "Value #A": 1.0},
        {"hostname": "b", "Value #A": 0, "pool": "solo", "Value #B": 7.0},
    ]


@pytest.mark.parametrize("points", [[(0, 5.0), (5, math.nan)], [(0, math.nan)]])
def test_a_number_that_ended_is_unknown(points: list[tuple[float, float]]) -> None:
    """What was known a while ago is not shown as if it were now."""
    panel = dashboards.panel("celery-workers", "Workers up")
    drawn = blocks.number(panel, [fields.Line("", asking.Series({}, points))])
    assert ">unknown<" in drawn


def test_names_are_text() -> None:
    """A task may be called anything; the page shows it and does not obey it."""
    evil = "<script>alert(1)</script>"
    table = dashboards.panel("celery-overview", "Failing tasks, and why")
    labels = {"name": evil, "exception": evil, "category": "code"}
    drawn = blocks.table(table, [[asking.Series(labels, [(0, 1.0)])]])
    assert "<script>" not in drawn
    assert "&lt;script&gt;" in drawn


def test_a_chosen_value_is_no_pattern() -> None:
    """A value that is chosen matches itself alone, as Grafana escapes it."""
    dashboard: dict[str, Any] = dashboards.named("celery-tasks")
    asker = asking.Asker(url="", window=dashboards.WINDOW, chosen={"name": "a.b(c)"})
    assert asker.filled('x{name=~"$name"}', dashboard) == 'x{name=~"a\\\\.b\\\\(c\\\\)"}'
    assert asker.filled('x{job=~"$job|"}[$__range]', dashboard) == 'x{job=~".+|"}[3600s]'


def test_an_unknown_variable_is_told() -> None:
    """An expression that a dashboard cannot fill is an error, not an empty panel."""
    asker = asking.Asker(url="", window=dashboards.WINDOW)
    with pytest.raises(asking.UnknownVariableError, match="hostname"):
        asker.filled('x{hostname=~"$hostname"}', dashboards.named("celery-tasks"))
