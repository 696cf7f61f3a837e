"""The colours of Grafana's dark theme, and which of them a value gets."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PAGE, PANEL, EDGE, GRID = "#111217", "#181b1f", "#25272d", "rgba(204,204,220,0.08)"
TEXT, FAINT, LINK = "#ccccdc", "rgba(204,204,220,0.65)", "#6e9fff"
_HUES = {
    "green": "#73bf69",
    "orange": "#ff9830",
    "red": "#f2495c",
    "dark-red": "#c4162a",
    "blue": "#5794f2",
    "super-light-blue": "#c0d8ff",
    "purple": "#b877d9",
    "yellow": "#fade2a",
    "text": TEXT,
}
_PALETTE = (
    "#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#705da0",
    "#37872d", "#fade2a", "#447ebc", "#c15c17", "#890f02", "#6ed0e0", "#6d1f62", "#b7dbab",
)  # fmt: skip


def hue(name: str) -> str:
    """Return the hex code of a colour of Grafana's."""
    return _HUES[name]


def place(index: int) -> str:
    """Return the colour of the series at a place."""
    return _PALETTE[index % len(_PALETTE)]


def by_steps(value: float, steps: Sequence[Mapping[str, Any]]) -> str:
    """Return the colour of the last step that the value reaches."""
    reached = [s["color"] for s in steps if s["value"] is None or value >= s["value"]]
    return hue(reached[-1])


def mapped(value: float, mappings: Sequence[Mapping[str, Any]]) -> tuple[str, str] | None:
    """Return the word for a value and its colour, if it has one."""
    key = f"{value:g}"
    for one in mappings:
        if one["type"] == "special":
            if math.isnan(value):
                return one["options"]["result"]["text"], hue(one["options"]["result"]["color"])
        elif key in one["options"]:
            result = one["options"][key]
            return result["text"], hue(result["color"])
    return None


def mapped_text(value: str, mappings: Sequence[Mapping[str, Any]]) -> tuple[str, str] | None:
    """Return the word for a text and its colour, if it has one."""
    for one in mappings:
        if value in one["options"]:
            result = one["options"][value]
            return result["text"], hue(result["color"])
    return None
