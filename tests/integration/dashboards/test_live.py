"""Every panel, variable and annotation is evaluated by a real Prometheus, before and after harm.

The tests share one fleet and follow each other: the last two harm it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from grafana.kit import links
from grafana.preview import asking, page
from tests import dashboards, promql
from tests.integration.dashboards import shop, tables

if TYPE_CHECKING:
    from collections.abc import Iterator

# One fleet for all, so one process runs them; the fleet needs a minute to have lived.
pytestmark = [pytest.mark.xdist_group("dashboards"), pytest.mark.timeout(420)]

# Queries that have nothing to show while all is well, in panels that have others. The endings
# rejected, cancelled and lost do not happen to the shop; its stream begins before its tasks.
MAY_BE_EMPTY = {
    ("How runs end", "rejected"),
    ("How runs end", "cancelled"),
    ("How runs end", "lost"),
    ("What had to be guessed", "orphans: {{type}}"),
}
QUIET = {"Lost or wedged", "What was lost or refused", "Alerts"}  # panels, while all is well
LIVELY_SECONDS, HARM_SECONDS = 240.0, 150.0
RUNBOOKS = promql.ALERTS.parent / "docs" / "runbooks"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[shop.Shop]:
    """Start the shop, and wait until every panel that is not about faults shows something."""
    with shop.Shop(tmp_path_factory.mktemp("shop")) as started:
        left = [asked for asked in dashboards.asked() if must_show(asked)]

        def all_shown() -> bool:
            asker = started.asker()
            left[:] = [asked for asked in left if not finite(answer(asker, asked))]
            return not left

        started.wait_until(all_shown, LIVELY_SECONDS, left)
        yield started


def finite(series: list[asking.Series]) -> bool:
    """Tell whether there is a number among the points."""
    return any(math.isfinite(value) for one in series for _, value in one.points)


def must_show(asked: dashboards.Asked) -> bool:
    """Tell whether a query has something to show while all is well."""
    title = asked.panel["title"]
    return title not in QUIET and (title, asked.target["legendFormat"]) not in MAY_BE_EMPTY


def answer(asker: asking.Asker, asked: dashboards.Asked) -> list[asking.Series]:
    """Return what one query yields."""
    [found] = asking.answers(asker, {"targets": [asked.target]}, asked.dashboard)
    return found


def missing(asker: asking.Asker) -> list[str]:
    """Return the queries without a single number."""
    return [
        f"{asked.dashboard['uid']}: {asked.panel['title']}: {asked.target['expr']}"
        for asked in dashboards.asked()
        if must_show(asked) and not finite(answer(asker, asked))
    ]


def test_every_panel_has_data(fleet: shop.Shop) -> None:
    """Every query of every panel yields a number, but for those about what did not happen."""
    left: list[str] = []

    def all_shown() -> bool:
        left[:] = missing(fleet.asker())
        return not left

    fleet.wait_until(all_shown, tables.MOMENT_SECONDS, left)


def test_what_shows_only_faults_says_so(fleet: shop.Shop) -> None:
    """Panels that may be empty, and only they, have words for it."""
    empty: set[str] = set()

    def only_quiet() -> bool:
        empty.clear()
        empty.update(
            panel["title"]
            for dashboard, panel in dashboards.panels()
            if not any(map(finite, asking.answers(fleet.asker(), panel, dashboard)))
        )
        return empty <= QUIET

    fleet.wait_until(only_quiet, tables.MOMENT_SECONDS, empty)
    worded = {p["title"] for _, p in dashboards.panels() if dashboards.shows_only_faults(p)}
    assert worded >= QUIET


def test_every_variable_offers_values(fleet: shop.Shop) -> None:
    """Each can be chosen from, and choosing one value leaves the panels of its dashboard alive."""
    offered = {
        variable["name"]: fleet.asker().choices(variable, dashboard)
        for dashboard in dashboards.every()
        for variable in dashboards.variables(dashboard)
    }
    assert offered["job"] == ["celery-sentinel"]
    assert len(offered["instance"]) == 2
    assert len(offered["hostname"]) == 3
    assert {"orders", "emails", "reports", "bulk"} <= set(offered["queue_name"])
    assert "shop.orders.charge" in offered["name"]


def test_choosing_narrows(fleet: shop.Shop) -> None:
    """With one task, worker or queue chosen only that is left."""
    for uid, title, label, value in (
        ("celery-tasks", "Failing tasks, and why", "name", "shop.orders.charge"),
        ("celery-queues", "All queues", "queue_name", "orders"),
    ):
        rows = tables.some_rows(fleet, uid, title, **{label: value})
        assert {row[label] for row in rows} == {value}


def test_a_pair_counts_nothing_twice(fleet: shop.Shop) -> None:
    """Both celery-sentinels together show what one of them shows."""
    told: list[str] = []

    def counted_once() -> bool:
        told[:] = counted_twice(fleet)
        return not told

    fleet.wait_until(counted_once, tables.MOMENT_SECONDS, told)


def counted_twice(fleet: shop.Shop) -> list[str]:
    """Return the panels in which both together show more than one, if there is much to compare."""
    one, both = fleet.asker({"instance": fleet.first_instance()}), fleet.asker()
    compared, more = 0, []
    for dashboard, panel in dashboards.panels():
        if panel["type"] not in {"stat", "table"} or dashboard["uid"] == "celery-sentinel":
            continue
        for alone, together in zip(
            asking.answers(one, panel, dashboard),
            asking.answers(both, panel, dashboard),
            strict=True,
        ):
            mine, ours = total(alone), total(together)
            if ours >= 1.5 * mine + 5:
                more.append(f"{dashboard['uid']}: {panel['title']}: {mine} and {ours}")
            compared += mine > 10
    return more if compared >= 5 else [f"{compared} panels have numbers to compare", *more]


def total(series: list[asking.Series]) -> float:
    """Add up the latest numbers."""
    return sum(one.points[-1][1] for one in series if math.isfinite(one.points[-1][1]))


def test_three_clicks_from_the_overview_to_the_runbook(fleet: shop.Shop) -> None:
    """The failing task is on the overview; a click on it, one on its exception, and help is there.

    Without knowing any address: each is followed from the cell that somebody reads.
    """
    table = dashboards.panel("celery-overview", "Failing tasks, and why")
    rows = tables.some_rows(fleet, "celery-overview", table["title"], having="ConnectionError")
    task = str(next(row for row in rows if row["exception"] == "ConnectionError")["name"])
    assert task == "shop.orders.charge"

    first = urlsplit(tables.clicked(table, "Task", task))
    chosen = parse_qs(first.query)["var-name"]
    uid = first.path.removeprefix("/d/")
    there = dashboards.panel(uid, "Failing tasks, and why")
    exceptions = {
        str(row["exception"]) for row in tables.some_rows(fleet, uid, there["title"], name=task)
    }
    assert chosen == [task]
    assert exceptions == {"ConnectionError"}

    second = tables.clicked(there, "Exception", exceptions.pop())
    third = tables.clicked(there, "Category", "network")
    for url in (second, third):
        page_of_it = RUNBOOKS / url.removeprefix(f"{links.RUNBOOKS}/")
        assert "## Diagnosis" in page_of_it.read_text()


def test_annotations_are_answered(fleet: shop.Shop) -> None:
    """Prometheus takes the query of each; that the daemons started is marked."""
    asker = fleet.asker()
    found = {
        note["name"]: asker.over_time(asker.filled(note["expr"], dashboard))
        for dashboard in dashboards.every()
        for note in dashboard["annotations"]["list"]
    }
    assert found.keys() == {"Alerts", "Restarts", "Versions", "Sentinel started"}
    assert len(found["Sentinel started"]) == 2


def test_previews_draw_every_panel(fleet: shop.Shop) -> None:
    """The page of each dashboard has all its panels, and none of them without data."""

    def drawn(dashboard: dashboards.Dashboard) -> str:
        text = page.page(dashboard, fleet.asker(), "plotly.js")
        return "" if "No data" in text else text

    for dashboard in dashboards.every():
        uid = dashboard["uid"]
        text = fleet.wait_until(lambda one=dashboard: drawn(one), tables.MOMENT_SECONDS, uid)
        assert text.count("<section") == len(list(asking.panels(dashboard)))
        assert "{{" not in text


def test_faults_show(fleet: shop.Shop) -> None:
    """A worker that was killed and an event nobody can read are where somebody looks for them."""
    fleet.harm()

    def silent() -> list[str]:
        asker = fleet.asker()
        return [
            panel["title"]
            for dashboard, panel in dashboards.panels()
            if panel["title"] in QUIET
            and not any(map(finite, asking.answers(asker, panel, dashboard)))
        ]

    fleet.wait_until(lambda: not silent(), HARM_SECONDS, QUIET)
    rows = tables.some_rows(fleet, "celery-workers", "Lost or wedged", having="seasonal@")
    row = next(row for row in rows if str(row["hostname"]).startswith("seasonal@"))
    table = dashboards.panel("celery-workers", "Lost or wedged")
    url = tables.clicked(table, "What to do", str(row["alert"]))
    assert (RUNBOOKS / url.removeprefix(f"{links.RUNBOOKS}/")).exists()
    fleet.wait_until(
        lambda: (
            "CeleryWorkerLost"
            in {alert["alertname"] for alert in tables.shown(fleet, "celery-overview", "Alerts")}
        ),
        HARM_SECONDS,
        "the alert on the overview",
    )
    overview, asker = dashboards.named("celery-overview"), fleet.asker()
    marked = next(note for note in overview["annotations"]["list"] if note["name"] == "Alerts")
    assert asker.over_time(asker.filled(marked["expr"], overview))


def test_numbers_are_unknown_without_a_sentinel(fleet: shop.Shop) -> None:
    """When both celery-sentinels are gone no number is the last that there was."""
    for one in fleet.daemons:
        one.stop()

    def still_told() -> set[str]:
        asker = fleet.asker()
        numbers = [(d, p) for d, p in dashboards.panels() if p["type"] == "stat"]
        return {
            panel["title"]
            for dashboard, panel in numbers
            for series in asking.answers(asker, panel, dashboard)[0]
            if math.isfinite(series.points[-1][1])
        }

    # Over the time shown, or over a window of a recording rule that reaches back that far.
    of_the_past = {"Starts missed", "Breaks of the stream", "Restarts"}
    of_windows = {"Failing", "Retrying", "Wait, p95"}
    of_prometheus = {"Alerts firing"}
    expected = of_the_past | of_windows | of_prometheus
    told: set[str] = set()

    def unknown() -> bool:
        told.clear()
        told.update(still_told() - expected)
        return not told

    fleet.wait_until(unknown, HARM_SECONDS, told)
    assert "unknown" in page.page(dashboards.named("celery-overview"), fleet.asker(), "plotly.js")
