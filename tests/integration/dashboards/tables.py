"""Tables of the dashboards as somebody reads them, and where a click on a cell leads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from grafana.preview import asking, blocks, fields
from tests import dashboards

if TYPE_CHECKING:
    from tests.integration.dashboards import shop

MOMENT_SECONDS = 60.0  # a scrape that fails on a busy machine leaves panels empty for a moment


def shown(fleet: shop.Shop, uid: str, title: str, **chosen: str) -> list[blocks.Row]:
    """Return the rows of a table."""
    answered = asking.answers(
        fleet.asker(chosen), dashboards.panel(uid, title), dashboards.named(uid)
    )
    return blocks.joined(answered)


def some_rows(
    fleet: shop.Shop, uid: str, title: str, *, having: str = "", **chosen: str
) -> list[blocks.Row]:
    """Wait until a table has rows, one of them with a cell that begins so; return them all."""

    def found() -> list[blocks.Row]:
        rows = shown(fleet, uid, title, **chosen)
        cells = (str(cell) for row in rows for cell in row.values())
        return rows if any(cell.startswith(having) for cell in cells) else []

    return fleet.wait_until(found, MOMENT_SECONDS, f"{title} with {having or 'anything'}")


def clicked(panel: dict[str, Any], column: str, text: str) -> str:
    """Return where a click on a cell leads."""
    [link] = fields.settings(panel, column)["links"]
    return link["url"].replace("${__value.text:percentencode}", quote(text, safe=""))
