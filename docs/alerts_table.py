#!/usr/bin/env python3
"""Writes the table of alerts into docs/alerting.md, from the rules in alerts/.

Usage: ``python docs/alerts_table.py``, which ``make docs`` does. What stands between the two
markers of the page is replaced; the rest is written by hand.
"""

from __future__ import annotations

import pathlib
import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = pathlib.Path(__file__).parents[1]
PAGE = ROOT / "docs" / "alerting.md"
RULES = ROOT / "alerts"
# In the order of the runbooks' index; other files follow by name.
NOUNS = ("tasks", "workers", "queues", "sentinel")
BEGIN = "<!-- Written by docs/alerts_table.py (`make docs`) from alerts/*.rules.yml. -->"
END = "<!-- Until here. -->"

# What an objective's metric is called, and the setting it comes from where that differs.
_OBJECTIVE = re.compile(r"\bcelery_(?:task|queue)_objective_([a-z_]+)")
_SETTINGS = {"failure_budget_ratio": "failure_budget"}
# if, with and end leave nothing behind; what is between them stays.
_CONTROL = re.compile(r"\{\{-?\s*(?:if|else|end|with|range)\b[^}]*\}\}")
_LABEL = re.compile(r"\{\{\s*\$labels\.(\w+)[^}]*\}\}")
_TEMPLATE = re.compile(r"\{\{[^}]*\}\}")
_OWN_SEVERITY = re.compile(r'"severity",\s*"(critical|warning)"')


class PageError(Exception):
    """The page has lost its markers."""


def page(text: str, folder: pathlib.Path = RULES) -> str:
    """Return ``text``, a page with both markers, with the table of the rules in ``folder``."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise PageError(f"{PAGE} needs the lines {BEGIN!r} and {END!r} around its table")
    return "\n".join([before + BEGIN, "", *table(folder), "", END + after])


def table(folder: pathlib.Path) -> Iterator[str]:
    """Yield the lines of the table: a row for each alerting rule, in the order of the files."""
    yield "| alert | severity | for | objective | what it says |"
    yield "| --- | --- | --- | --- | --- |"
    recorded = _recorded(folder)
    for rule in alerting_rules(folder):
        name = rule["alert"]
        objectives = _objectives(rule["expr"], dict(recorded))
        cells = (
            f"[{name}](runbooks/{name}.md)",
            _severity(rule, objectives),
            "at once" if rule.get("for", "0s") == "0s" else rule["for"],
            ", ".join(f"`{key}`" for key in objectives),
            _plain(rule["annotations"]["summary"]),
        )
        yield f"| {' | '.join(cells)} |"


def alerting_rules(folder: pathlib.Path) -> Iterator[dict[str, Any]]:
    """Yield the alerting rules of all files, by nouns."""
    yield from (rule for rule in _rules(folder) if "alert" in rule)


def _rules(folder: pathlib.Path) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.glob("*.rules.yml"), key=_place):
        for group in yaml.safe_load(file.read_text())["groups"]:
            yield from group["rules"]


def _recorded(folder: pathlib.Path) -> dict[str, str]:
    """Return the expressions behind each recorded name; several rules may record one."""
    found: dict[str, str] = {}
    for rule in _rules(folder):
        if "record" in rule:
            found[rule["record"]] = f"{found.get(rule['record'], '')} {rule['expr']}"
    return found


def _place(file: pathlib.Path) -> tuple[int, str]:
    noun = file.name.removesuffix(".rules.yml")
    return (NOUNS.index(noun) if noun in NOUNS else len(NOUNS), noun)


def _severity(rule: dict[str, Any], objectives: list[str]) -> str:
    """Say who sets the severity: the rule, its expression, or the objective it compares with."""
    fixed = rule.get("labels", {}).get("severity")
    if fixed is not None:
        return str(fixed)
    found = sorted(set(_OWN_SEVERITY.findall(rule["expr"])))
    if objectives:
        found.append("its objective's")
    return " or ".join(found)


def _objectives(expression: str, recorded: dict[str, str]) -> list[str]:
    """Return the settings of objectives that decide an expression, in their order.

    They may be behind recorded series, at any depth.
    """
    texts, waiting = [], [expression]
    while waiting:
        text = waiting.pop()
        texts.append(text)
        names = [name for name in recorded if re.search(rf"(?<![\w:]){name}(?![\w:])", text)]
        waiting += [recorded.pop(name) for name in names]
    found = (name.rstrip("_") for text in texts for name in _OBJECTIVE.findall(text))
    return list(dict.fromkeys(_SETTINGS.get(name, name) for name in found))


def _plain(summary: str) -> str:
    """Return a summary with the names of labels in place of their values."""
    text = _LABEL.sub(r"`\1`", _CONTROL.sub("", summary))
    return _TEMPLATE.sub("…", text).replace("|", "\\|").strip()


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
