"""The suite of faults judges strictly, and its Alertmanager is the shipped one but for its pace."""

from __future__ import annotations

import pathlib
import subprocess
from typing import Any

import pytest
import yaml

from tests.faults import results, routing
from tests.faults.results import Result
from tests.servers import alertmanager, server

PAGE = pathlib.Path(__file__).parents[3] / "docs" / "faults.md"
LOST = ("CeleryWorkerLost",)


def result(**changes: Any) -> Result:
    """Return a fault that was reported as it should be, but for ``changes``."""
    given = {"fault": "killed", "expected": LOST, "received": [*LOST], "pages": 1, "beyond": 4.0}
    return Result(**{**given, **changes})


def test_a_fault_may_be_reported_without_fault() -> None:
    """By its alert, by one page; or, where silence is right, by nothing."""
    assert result().faultless
    assert result(expected=(), received=[], pages=0).faultless


@pytest.mark.parametrize(
    "changes",
    [
        {"received": []},
        {"received": ["CeleryNoWorkers"]},
        {"expected": (*LOST, "CeleryTaskLost")},
        {"false_alarms": ["CeleryQueueTooOld"]},
        {"pages": 2},
        {"error": "TimeoutError: not played"},
    ],
    ids=["missing", "another", "one-of-two", "false-alarm", "two-pages", "error"],
)
def test_nothing_is_overlooked(changes: dict[str, Any]) -> None:
    """Whatever is not as it should be shows in the verdict, and in the table."""
    judged = result(**changes)
    assert not judged.faultless
    assert results.table([judged]) != results.table([result()])


def test_a_page_that_a_failed_scrape_interrupted_is_one() -> None:
    """It fires again with the same labels; while all scrapes succeed that is a page more."""
    down, lost = {"alertname": "CeleryBrokerDown"}, {"alertname": "CeleryWorkersLostMany"}
    assert results.pages([down, down, lost], always_scraped=False) == 2
    assert results.pages([down, down, lost], always_scraped=True) == 3


def test_the_summary_counts() -> None:
    """Reported and silent are counted apart, and the median is of what fired."""
    found = [
        result(),
        result(beyond=8.0, false_alarms=["CeleryTaskLost"]),
        result(received=[], beyond=None, pages=2),
        result(expected=(), received=[], beyond=None),
    ]
    assert results.summary(found).splitlines() == [
        "- Reported by the alert that names the cause: 2 of 3.",
        "- Silent, as it should be: 1 of 1.",
        "- Reported by more than one page: 1.",
        "- False alarms: 1.",
        "- Median to firing: 6.0 s; goal: 14 s.",
    ]


def test_only_the_table_of_the_page_is_written(tmp_path: pathlib.Path) -> None:
    """What stands around the markers stays; without markers nothing is written."""
    page = tmp_path / "faults.md"
    page.write_text(f"before\n{results.BEGIN}\nold\n{results.END}\nafter\n")
    results.write(page, "new")
    assert page.read_text() == f"before\n{results.BEGIN}\n\nnew\n\n{results.END}\nafter\n"
    page.write_text("no markers")
    with pytest.raises(ValueError, match="needs the lines"):
        results.write(page, "new")
    assert page.read_text() == "no markers"


def test_the_page_shows_a_run_without_fault() -> None:
    """All that was expected arrived, as often as the summary says, and nothing else did."""
    text = PAGE.read_text().partition(results.BEGIN)[2].partition(results.END)[0]
    rows = [
        dict(zip(results.HEAD, line.strip("| ").split(" | "), strict=True))
        for line in text.splitlines()
        if line.startswith("| ") and "---" not in line
    ][1:]
    assert len(rows) > 25
    for row in rows:
        expected = set(row["expected"].split(", ")) - {"none"}
        assert expected <= set(row["received"].split(", ")), row
        assert row["false alarms"] == "0", row
        assert row["pages"] in {"0", "1"}, row


def test_routes_and_inhibition_are_the_shipped_ones(tmp_path: pathlib.Path) -> None:
    """But for the two waits, and amtool accepts it."""
    file = tmp_path / "alertmanager.yml"
    routing.shorten(file, "http://127.0.0.1:1", wait=7.5, interval=4)
    shipped = yaml.safe_load(routing.EXAMPLE.read_text())
    made = yaml.safe_load(file.read_text())
    assert made["inhibit_rules"] == shipped["inhibit_rules"]
    assert made["route"]["group_wait"] == "4000ms"
    assert made["route"]["group_interval"] == "75000ms"
    assert timeless(made["route"]) == timeless(shipped["route"])
    assert {one["name"]: one["webhook_configs"][0]["url"] for one in made["receivers"]} == {
        one["name"]: f"http://127.0.0.1:1/{one['name']}" for one in shipped["receivers"]
    }
    amtool = server.find_binary("amtool", package=alertmanager.PACKAGE)
    subprocess.run([amtool, "check-config", file], check=True, capture_output=True, timeout=30)


def timeless(route: dict[str, Any]) -> dict[str, Any]:
    """Return a route and all below it without the two waits."""
    kept = {
        key: value for key, value in route.items() if key not in {"group_wait", "group_interval"}
    }
    return {**kept, "routes": [timeless(below) for below in route.get("routes", ())]}
