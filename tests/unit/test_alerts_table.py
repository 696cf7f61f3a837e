"""docs/alerting.md: its table is made from the rules, its example of objectives is accepted."""

from __future__ import annotations

import importlib.util
import pathlib
import re
import textwrap
from typing import Any

import click.testing
import pytest
import yaml

from celery_sentinel.cli import commands

DOCS = pathlib.Path(__file__).parents[2] / "docs"


def load_script() -> Any:
    """Import the script that writes the table."""
    spec = importlib.util.spec_from_file_location("alerts_table", DOCS / "alerts_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


alerts_table = load_script()


def rows(folder: pathlib.Path, *rules: dict[str, Any], file: str = "tasks") -> list[str]:
    """Return the rows of the table of a folder with these rules, its head left out."""
    text = yaml.safe_dump({"groups": [{"name": file, "rules": list(rules)}]})
    (folder / f"{file}.rules.yml").write_text(text)
    return list(alerts_table.table(folder))[2:]


def rule(**changes: Any) -> dict[str, Any]:
    """Return an alerting rule."""
    return {"alert": "Stuck", "expr": "up", "annotations": {"summary": "It hangs."}} | changes


def test_the_page_is_what_its_script_writes() -> None:
    """The table in docs/alerting.md is that of the rules of today: else run `make docs`."""
    text = alerts_table.PAGE.read_text()
    assert alerts_table.page(text) == text


def test_every_alert_has_a_row() -> None:
    """A row for each alerting rule that is shipped."""
    text = alerts_table.PAGE.read_text()
    shipped = [each["alert"] for each in alerts_table.alerting_rules(alerts_table.RULES)]
    assert shipped
    for alert in shipped:
        assert f"| [{alert}](runbooks/{alert}.md) |" in text


def test_a_row_tells_severity_time_and_summary(tmp_path: pathlib.Path) -> None:
    """What the rule fixes is in its row; recording rules have none."""
    fixed = rule(labels={"severity": "warning"}, **{"for": "5m"})
    assert rows(tmp_path, fixed, {"record": "a:b", "expr": "up"}) == [
        "| [Stuck](runbooks/Stuck.md) | warning | 5m |  | It hangs. |"
    ]


def test_a_severity_may_be_the_objectives(tmp_path: pathlib.Path) -> None:
    """A rule that compares with an objective takes its severity, and names its setting."""
    expression = (
        "a > b:celery_queue_objective_workers:max"
        ' or label_replace(c, "severity", "critical", "", "")'
    )
    (row,) = rows(tmp_path, rule(expr=expression))
    assert row.split(" | ")[1:4] == ["critical or its objective's", "at once", "`workers`"]
    (row,) = rows(tmp_path, rule(expr="a > x:celery_task_objective_failure_budget_ratio:max"))
    assert row.split(" | ")[1:4] == ["its objective's", "at once", "`failure_budget`"]


def test_an_objective_may_be_behind_a_recorded_series(tmp_path: pathlib.Path) -> None:
    """A rule that reads what another recorded is decided by the other's objective."""
    over = {"record": "a:over", "expr": "b > c:celery_task_objective_retry_ratio:max"}
    (row,) = rows(tmp_path, over, rule(expr="sum(a:over) > 0", **{"for": "0s"}))
    assert row.split(" | ")[1:4] == ["its objective's", "at once", "`retry_ratio`"]


def test_templates_become_names(tmp_path: pathlib.Path) -> None:
    """Labels are shown by their name, values as dots, and a pipe does not break the row."""
    summary = 'In {{ $labels.queue_name | printf "%q" }} {{ $value | humanize }} wait | now.'
    (row,) = rows(tmp_path, rule(annotations={"summary": summary}))
    assert row.endswith("| In `queue_name` … wait \\| now. |")
    summary = "None {{ with $labels.job }}of {{ . }} {{ end }}is left."
    (row,) = rows(tmp_path, rule(annotations={"summary": summary}))
    assert row.endswith("| None of … is left. |")


def test_files_come_by_noun(tmp_path: pathlib.Path) -> None:
    """Tasks first, the sentinel last, files of others after it."""
    for file in ("another", "sentinel", "tasks"):
        rows(tmp_path, rule(alert=file), file=file)
    found = [each["alert"] for each in alerts_table.alerting_rules(tmp_path)]
    assert found == ["tasks", "sentinel", "another"]


def test_a_page_without_markers_is_refused() -> None:
    """The table has to go somewhere: the error says which lines are missing."""
    with pytest.raises(alerts_table.PageError, match="Until here"):
        alerts_table.page(alerts_table.BEGIN)


def test_the_example_of_objectives_is_accepted(tmp_path: pathlib.Path) -> None:
    """check-config has neither an error nor a warning for what the page shows."""
    shown = re.search(
        r"^    objectives:\n(?:^     .*\n)+", alerts_table.PAGE.read_text(), re.MULTILINE
    )
    assert shown is not None
    file = tmp_path / "config.yml"
    file.write_text(textwrap.dedent(shown[0]))
    checked = click.testing.CliRunner().invoke(commands.main, ["check-config", str(file)])
    assert (checked.exit_code, checked.stderr) == (0, "")
