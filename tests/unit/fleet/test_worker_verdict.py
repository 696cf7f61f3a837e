"""What is said of a worker is what the table in the documentation says, in every case there is."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from celery_sentinel.fleet import worker_verdict

PAGE = Path(__file__).parents[3] / "docs" / "how-it-counts.md"
HEADER = "| heard | answers | consumes | progresses | gone | pool |"
COLUMNS = len(worker_verdict.Facts._fields)
CASES = [
    worker_verdict.Facts(*values) for values in itertools.product(*worker_verdict.VALUES.values())
]


def table() -> list[list[str]]:
    """Return the cells of the table's rows."""
    lines = iter(PAGE.read_text().splitlines())
    next(line for line in lines if line.startswith(HEADER))
    next(lines)
    rows = itertools.takewhile(lambda line: line.startswith("|"), lines)
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def fits(row: list[str], facts: worker_verdict.Facts) -> bool:
    """Tell whether a row of the table is about these facts."""
    return all(
        cell == "any" or fact in cell.split(", ")
        for cell, fact in zip(row[:COLUMNS], facts, strict=True)
    )


def read(row: list[str]) -> worker_verdict.Verdict:
    """Return what a row says."""
    up, responding, wedged, lost = row[COLUMNS:]
    number = {"absent": None, "0": 0, "1": 1}
    said = {"absent": None, "none": ""}.get(wedged, wedged)
    return worker_verdict.Verdict(number[up], number[responding], said, lost == "yes")


def test_every_case_is_in_the_table_and_comes_out_as_it_says() -> None:
    """The first row that fits is what the code says."""
    rows = table()
    for facts in CASES:
        assert worker_verdict.of(facts) == read(next(row for row in rows if fits(row, facts))), (
            facts
        )


def test_no_row_of_the_table_is_idle() -> None:
    """Each row is the first that fits some case."""
    rows = table()
    used = {next(number for number, row in enumerate(rows) if fits(row, facts)) for facts in CASES}
    assert used == set(range(len(rows)))


def test_the_table_names_no_value_that_there_is_not() -> None:
    """A word that is misspelt would fit nothing."""
    for row in table():
        for cell, allowed in zip(row[:COLUMNS], worker_verdict.VALUES.values(), strict=True):
            assert cell == "any" or set(cell.split(", ")) <= set(allowed)


@pytest.mark.parametrize("facts", CASES[::97], ids=str)
def test_tasks_are_lost_with_their_process_and_with_nothing_else(
    facts: worker_verdict.Facts,
) -> None:
    """Neither silence nor a goodbye loses a task."""
    assert worker_verdict.tasks_lost(facts) == (facts.gone == "yes")


def test_nothing_is_said_of_the_wedge_of_a_worker_that_is_not_up() -> None:
    """Wedged goes with responding, and both with up."""
    for facts in CASES:
        found = worker_verdict.of(facts)
        assert (found.wedged is None) == (found.responding is None)
        assert found.responding is None or found.up == 1
        assert not found.lost or found.up == 0
