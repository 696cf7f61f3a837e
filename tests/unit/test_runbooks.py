"""Each runbook has its sections, names what exists, and its queries are PromQL."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from celery_sentinel.metrics import catalogue
from tests.runbooks import pages
from tests.servers import server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALERTS = pages.FOLDER.parents[1] / "alerts"
PAGES = pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: page.stem)

# Of other programs: node_exporter's and Prometheus' own are in queries as well.
FOREIGN_METRICS = re.compile(r"(up|ALERTS|prometheus_\w+|alertmanager_\w+|process_\w+)$")
_SUFFIXES = ("", "_bucket", "_sum", "_count")


def rules() -> Iterator[dict[str, Any]]:
    """Yield every rule of the shipped files."""
    for file in sorted(ALERTS.glob("*.rules.yml")):
        for group in yaml.safe_load(file.read_text())["groups"]:
            yield from group["rules"]


def test_every_alert_has_its_runbook() -> None:
    """The pages are those of the alerts of the rules, and the index leads to each once."""
    alerts = {rule["alert"] for rule in rules() if "alert" in rule}
    assert alerts == {page.stem for page in pages.PAGES}
    listed = re.findall(r"^\| \[(\w+)\]\((\w+)\.md\)", pages.INDEX.read_text(), re.MULTILINE)
    assert sorted(listed) == sorted((alert, alert) for alert in alerts)


@PAGES
def test_a_page_has_its_sections(page: Path) -> None:
    """The alert's name, then the five sections in order, none of them empty; one screen or two."""
    text = page.read_text()
    assert text.startswith(f"# {page.stem}\n")
    parts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)[1:]
    assert parts[::2] == pages.SECTIONS
    assert all(len(body.split()) > 8 for body in parts[1::2])
    assert 40 <= len(text.splitlines()) <= 90


@PAGES
def test_a_silence_is_of_its_own_alert(page: Path) -> None:
    """What a page offers to silence includes its alert, and ends; the watchdog offers none."""
    silences = re.findall(r"silence add alertname=~?(\S+).*", page.read_text())
    if page.stem == "CeleryWatchdog":
        assert silences == []
    else:
        (matched,) = silences
        assert re.fullmatch(matched.strip("'"), page.stem)
        assert "--duration=" in page.read_text()


def test_marks_are_those_the_index_explains() -> None:
    """A fence carries no mark that means nothing."""
    used = {mark for block in pages.blocks("sh") for mark in block.marks}
    assert used == pages.MARKS
    for mark in pages.MARKS:
        assert f"`{mark}`" in pages.INDEX.read_text()


@pytest.mark.parametrize(
    "block", [block for block in pages.blocks("sh") if pages.HOST in block.marks],
    ids=lambda block: block.page,
)  # fmt: skip
def test_commands_for_the_host_are_shell(block: pages.Block) -> None:
    """What cannot be tried here at least is shell, and names a program that Debian knows."""
    shell = subprocess.run(
        ["/bin/bash", "-n"], input=block.text, capture_output=True, text=True, check=False
    )
    assert (shell.returncode, shell.stderr) == (0, "")


def test_every_query_is_promql(tmp_path: Path) -> None:
    """Promtool accepts each block as the expression of a rule."""
    queries = pages.blocks("promql")
    assert len(queries) > len(pages.PAGES)
    made_up = {
        "groups": [
            {
                "name": "runbooks",
                "rules": [
                    {"record": f"runbook:{block.page}:{number}", "expr": block.text.strip()}
                    for number, block in enumerate(queries)
                ],
            }
        ]
    }
    file = tmp_path / "runbooks.rules.yml"
    file.write_text(yaml.safe_dump(made_up))
    checked = subprocess.run(
        [server.find_binary("promtool", package="prometheus"), "check", "rules", str(file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("block", pages.blocks("promql"), ids=lambda block: block.page)
def test_a_query_reads_what_exists(block: pages.Block) -> None:
    """Its metrics are in the catalogue, or recorded by a rule, or well known from others."""
    own = {f"{metric.name}{suffix}" for metric in catalogue.METRICS for suffix in _SUFFIXES}
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    bare = re.sub(r'"[^"]*"|\[[^\]]*\]', "", block.text)
    bare = re.sub(r"\b(by|on|without|ignoring)\s*\([^)]*\)", "", bare)
    bare = re.sub(r"\{[^}]*\}", "", bare)
    names = set(re.findall(r"[A-Za-z_:][\w:]*(?!\s*\()\b(?!\s*\()", bare))
    words = {"and", "or", "unless", "offset", "by", "on", "without", "le", "w", "h", "d"}
    strange = {name for name in names - own - recorded - words if not FOREIGN_METRICS.match(name)}
    assert strange == set()


def test_python_blocks_are_python() -> None:
    """What is to be pasted into a configuration compiles."""
    for block in pages.blocks("python"):
        source = block.text.replace("@app.task(", "app.task(")
        compile(source, block.page, "exec")


def test_bash_is_there() -> None:
    """The commands are written for bash."""
    assert shutil.which("bash")
