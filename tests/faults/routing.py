"""The shipped example of Alertmanager with every receiver led to the recorder, and quicker."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import yaml

from tests import promql

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterator

EXAMPLE = promql.ALERTS / "alertmanager.example.yml"


def shorten(target: pathlib.Path, recorder_url: str, *, wait: float, interval: float) -> None:
    """Write the example to ``target``, with ``/NAME`` of the recorder for each receiver.

    ``group_wait`` is divided by ``wait``, ``group_interval`` by ``interval``. Routes, grouping and
    inhibition are the shipped ones.
    """
    config = yaml.safe_load(EXAMPLE.read_text())
    for route in _routes(config["route"]):
        for name, factor in (("group_wait", wait), ("group_interval", interval)):
            if name in route:
                milliseconds = promql.seconds(route[name]) / factor * 1000
                route[name] = f"{math.ceil(milliseconds)}ms"
    receivers = [_webhook(receiver["name"], recorder_url) for receiver in config["receivers"]]
    shortened = {
        "route": config["route"],
        "inhibit_rules": config["inhibit_rules"],
        "receivers": receivers,
    }
    target.write_text(yaml.safe_dump(shortened, sort_keys=False))


def _webhook(name: str, recorder_url: str) -> dict[str, Any]:
    hooks = [{"url": f"{recorder_url}/{name}", "send_resolved": False}]
    return {"name": name, "webhook_configs": hooks}


def _routes(route: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield route
    for below in route.get("routes", ()):
        yield from _routes(below)
