"""One look for all: colours, thresholds, and the dashes that objectives are drawn in."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

DATASOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")

GOOD, WARNING, BAD, CALM, OFF = "green", "orange", "red", "blue", "text"

# Steps of a threshold: from which value on which colour; None is whatever comes before.
Steps = Sequence[tuple[float | None, str]]
NEUTRAL: Steps = ((None, CALM),)
NONE_IS_GOOD: Steps = ((None, GOOD), (1, BAD))
SOME_IS_WORTH_A_LOOK: Steps = ((None, GOOD), (1, WARNING))
ALL_IS_GOOD: Steps = ((None, BAD), (1, GOOD))

# What is drawn as a line across a chart is called by one of these words.
CRITICAL_LINE = "/^(objective|limit)(?!.*warning)/"
WARNING_LINE = "/^(objective|limit).*warning/"


def thresholds(steps: Steps) -> build.ThresholdsConfig:
    """Return thresholds in the panel's unit."""
    found = [model.Threshold(value=value, color=color) for value, color in steps]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(found)


def by_threshold() -> build.FieldColor:
    """Colour by the steps."""
    return build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS)


def by_place() -> build.FieldColor:
    """Colour by place; by name, two of ten tasks often share a colour, or get a dark one."""
    return build.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC)


def mapping(texts: dict[str, tuple[str, str]]) -> model.ValueMap:
    """Say a word, in a colour, for each value."""
    results = {
        value: model.ValueMappingResult(text=text, color=color, index=index)
        for index, (value, (text, color)) in enumerate(texts.items())
    }
    return model.ValueMap(options=results)


def unknown() -> model.SpecialValueMap:
    """Say so where there is no number, instead of showing the last that there was."""
    said = model.ValueMappingResult(text="unknown", color=OFF, index=99)
    match = model.SpecialValueMatch.NULL_AND_NAN
    options = model.DashboardSpecialValueMapOptions(match=match, result=said)
    return model.SpecialValueMap(options=options)


def dashed(color: str) -> list[model.DynamicConfigValue]:
    """Return the properties of a line that something is measured by."""
    return [
        model.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color}),
        model.DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [8, 6]}),
        model.DynamicConfigValue("custom.lineWidth", 1),
        model.DynamicConfigValue("custom.fillOpacity", 0),
        model.DynamicConfigValue("custom.stacking", {"mode": "none", "group": "A"}),
        model.DynamicConfigValue("custom.drawStyle", "line"),
        model.DynamicConfigValue("links", []),
    ]


def fixed(color: str) -> list[model.DynamicConfigValue]:
    """Return the properties of a series that always has this colour."""
    return [model.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color})]
