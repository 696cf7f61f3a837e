"""A click leads to what it says: the task, worker or queue of the cell or line that was clicked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from grafana.kit import links, style
from tests import dashboards, promql
from tests.unit.alerts import shapes

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNBOOKS = promql.ALERTS.parent / "docs" / "runbooks"
CELL, ROW, SERIES = "__value.text", "__data.fields.", "__field.labels."
# What is given on to the next dashboard as it is.
KEPT = {"datasource:queryparam", "job:queryparam", "instance:queryparam", "__url_time_range"}
LIMIT = style.CRITICAL_LINE.strip("/") + "|" + style.WARNING_LINE.strip("/")

every_panel = pytest.mark.parametrize("one", list(dashboards.panels()), ids=dashboards.about)


def columns(panel: dict[str, Any]) -> dict[str, str]:
    """Return the labels that the columns of a table show, by their titles."""
    if panel["type"] != "table":
        return {}
    shown = panel["transformations"][-1]["options"]["renameByName"]
    return {title: label for label, title in shown.items()}


def clicks(panel: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield every address that a panel leads to, with the column it is in or nothing."""
    for link in panel["fieldConfig"]["defaults"].get("links", ()):
        yield "", link["url"]
    for override in panel["fieldConfig"]["overrides"]:
        for one in override["properties"]:
            if one["id"] == "links":
                for link in one["value"]:
                    yield override["matcher"]["options"], link["url"]


def named(url: str) -> list[tuple[str, str]]:
    """Return the variables of a dashboard that an address sets, and from what."""
    return re.findall(r"[?&]var-(\w+)=\$\{(.+?)(?::percentencode)?\}", url)


@every_panel
def test_a_click_sets_a_variable_to_what_it_is_called_after(
    one: tuple[dashboards.Dashboard, dict[str, Any]],
) -> None:
    """A task is not looked for under the name of its exception: cell, column and line fit."""
    panel = one[1]
    shown = columns(panel)
    for column, url in clicks(panel):
        assert set(re.findall(r"\$\{(.+?)\}", url)) >= (KEPT if url.startswith("/d/") else set())
        for variable, source in named(url):
            if source == CELL:
                assert shown[column] == variable
            elif source.startswith(ROW):
                assert shown[source.removeprefix(ROW)] == variable
            else:
                assert source == f"{SERIES}{variable}"
                for target in panel["targets"]:
                    labels = shapes.Shapes().of_text(
                        dashboards.Asked(*one, target).expression  # objectives have no link
                    )
                    assert variable in labels or re.search(LIMIT, target["legendFormat"])
        if CELL in url and url.startswith(links.RUNBOOKS):
            assert shown[column] in {"alertname", "alert"}


@every_panel
def test_a_click_leads_somewhere(one: tuple[dashboards.Dashboard, dict[str, Any]]) -> None:
    """Dashboards exist and have the variable, runbooks exist."""
    for _, url in clicks(one[1]):
        if url.startswith("/d/"):
            board = dashboards.named(urlsplit(url).path.removeprefix("/d/"))
            known = {variable["name"] for variable in board["templating"]["list"]}
            assert {name for name, _ in named(url)} <= known
        elif CELL not in url:
            assert (RUNBOOKS / url.removeprefix(f"{links.RUNBOOKS}/")).exists(), url
