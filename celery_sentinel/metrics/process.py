"""The standard metrics of process and interpreter, as prometheus_client makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import prometheus_client
from prometheus_client import openmetrics

if TYPE_CHECKING:
    from collections.abc import Callable


def renderer() -> Callable[[bool], str]:
    """Return a function that gives their text, in OpenMetrics (without its end) or in plain."""
    registry = prometheus_client.CollectorRegistry()
    prometheus_client.ProcessCollector(registry=registry)
    prometheus_client.PlatformCollector(registry=registry)
    prometheus_client.GCCollector(registry=registry)

    def render(as_openmetrics: bool) -> str:
        if as_openmetrics:
            text = str(openmetrics.exposition.generate_latest(registry), "utf-8")
            return text.removesuffix("# EOF\n")
        return str(prometheus_client.generate_latest(registry), "utf-8")

    return render
