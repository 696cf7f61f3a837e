"""Writes grafana/celery-*.json: ``python -m grafana.build``, which ``make dashboards`` does."""

from __future__ import annotations

import json
import pathlib
from typing import Any

from grafana import boards

DIRECTORY = pathlib.Path(__file__).parent


def text(dashboard: dict[str, Any]) -> str:
    """Return a dashboard as its file has it."""
    return json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n"


def file(dashboard: dict[str, Any]) -> pathlib.Path:
    """Return where a dashboard is kept."""
    return DIRECTORY / f"{dashboard['uid']}.json"


def main() -> None:
    """Write all of them."""
    for dashboard in boards.every():
        file(dashboard).write_text(text(dashboard))


if __name__ == "__main__":
    main()
