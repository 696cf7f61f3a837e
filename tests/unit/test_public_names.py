"""Names that dashboards, rules and config files hold stay: public_names.txt has all there were.

Who adds one adds a line. Who takes one away breaks somebody: that is a line in the changelog under
"Removed", and a decision.
"""

from __future__ import annotations

import pathlib

from celery_sentinel.cli import commands
from celery_sentinel.metrics import catalogue
from tests.unit import test_docs

KNOWN = pathlib.Path(__file__).with_name("public_names.txt")


def names() -> set[str]:
    """Return what there is now, in the words of the file."""
    metrics = {
        f"metric {metric.name} {metric.type} {','.join(metric.labels) or '-'}"
        for metric in catalogue.METRICS
    }
    flags = {
        f"flag {flag}"
        for parameter in commands.main.commands["run"].params
        for flag in parameter.opts
        if flag.startswith("--")
    }
    settings = {f"setting {key}" for key in iter(test_docs.config_page.keys())}
    return metrics | flags | settings


def test_no_name_is_lost_and_each_new_one_is_listed() -> None:
    """A rename inside the code must not be seen from outside."""
    known = KNOWN.read_text().splitlines()
    assert known == sorted(set(known)), "one line each, in order"
    assert set(known) - names() == set(), "these were public: they must stay"
    assert names() - set(known) == set(), f"these are new: add them to {KNOWN.name}"
