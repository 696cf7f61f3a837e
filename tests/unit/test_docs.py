"""The documentation names only what exists, and what is generated is up to date."""

from __future__ import annotations

import importlib.util
import inspect
import pathlib
import re
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import click.testing
import msgspec
import pytest

from celery_sentinel import reload
from celery_sentinel.cli import commands
from celery_sentinel.config import loading, schema
from celery_sentinel.demo import broker
from celery_sentinel.metrics import catalogue
from celery_sentinel.poller import workers as poller_workers
from celery_sentinel.remote_control import mailboxes, replies
from tests import security_figures
from tests.unit import test_migration

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = pathlib.Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))

# Options of other programs that the documentation may name.
FOREIGN_FLAGS = {"--without-heartbeat", "--autoscale", "--upgrade", "--config.file"}
# pip's, systemctl's and kubectl's.
FOREIGN_FLAGS |= {"--require-hashes", "--requirement", "--no-deps", "--now"}
FOREIGN_FLAGS |= {"--namespace", "--from-file", "--server-side", "--kustomize"}
# docker's.
FOREIGN_FLAGS |= {
    "--no-healthcheck",
    "--build",
    "--build-arg",
    "--name",
    "--publish",
    "--read-only",
    "--cap-drop",
}
FOREIGN_FLAGS |= {
    "--volumes",
    "--format",
    "--security-opt",
    "--env-file",
    "--volume",
    "--secret",
    "--tag",
    "--detach",
}
SECTIONS = "|".join(schema.Config.__struct_fields__)


def load_config_page() -> Any:
    """Import the script that writes docs/config.md, with what lies beside it."""
    sys.path.insert(0, str(DOCS))
    spec = importlib.util.spec_from_file_location("config_page", DOCS / "config_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


config_page = load_config_page()


def code(page: pathlib.Path) -> str:
    """Return what a page shows as code, one piece a line."""
    text = page.read_text()
    blocks = re.findall(r"^```.*?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^    .*$", text, re.MULTILINE)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", prose)
    return "\n".join([*blocks, *indented, *spans])


def options() -> Iterator[click.Option]:
    """Yield every option of every command."""
    for command in (commands.main, *commands.main.commands.values()):
        for parameter in command.get_params(click.Context(command)):
            if isinstance(parameter, click.Option):
                yield parameter


def test_the_metrics_page_is_what_the_command_prints() -> None:
    """docs/metrics.md is the catalogue of today: else run `make docs`."""
    printed = click.testing.CliRunner().invoke(commands.main, ["metrics", "--format", "markdown"])
    assert (DOCS / "metrics.md").read_text() == printed.output


def test_the_config_page_is_what_its_script_writes() -> None:
    """docs/config.md is the schema and the flags of today: else run `make docs`."""
    assert (DOCS / "config.md").read_text() == "\n".join([*config_page.page(), ""])


def test_the_page_of_attacks_is_its_template_with_figures() -> None:
    """docs/security-tests.md is tests/security_figures.md of today, its figures filled in."""
    literal = re.split(r"\{\w+\}", security_figures.TEMPLATE.read_text())
    shape = r"[^{}]+?".join(map(re.escape, literal))
    page = security_figures.PAGE.read_text()
    assert re.fullmatch(shape, page)
    figures = [line.split(" | ")[0] for line in page.splitlines()][-len(security_figures.ATTACKS) :]
    assert figures == [f"| {told}" for told, *_ in security_figures.ATTACKS]


@pages
def test_a_page_begins_with_its_title(page: pathlib.Path) -> None:
    """What a program printed before is no part of a page."""
    assert page.read_text().startswith("# ")


def test_every_setting_has_a_meaning() -> None:
    """No key of the schema goes unexplained, and no explanation has lost its key."""
    assert sorted(config_page.config_meanings.MEANINGS) == sorted(config_page.keys())


def example_of_the_page() -> str:
    """Return the config file that docs/config.md shows."""
    found = re.search(
        r"^```yaml\n(.*?)^```", (DOCS / "config.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert found is not None
    return found[1]


def test_the_example_is_accepted(tmp_path: pathlib.Path) -> None:
    """check-config accepts the example as it stands on the page."""
    file = tmp_path / "example.yml"
    file.write_text(example_of_the_page())
    checked = click.testing.CliRunner().invoke(commands.main, ["check-config", str(file)])
    assert (checked.exit_code, checked.output.partition(";")[0]) == (0, "# valid")


def test_the_example_is_complete(tmp_path: pathlib.Path) -> None:
    """With its comments taken off, the example gives every key there is and still loads."""
    text = re.sub(r"^  # ", "  ", example_of_the_page(), flags=re.MULTILINE)
    certificate = tmp_path / "any.pem"
    certificate.touch()
    file = tmp_path / "example.yml"
    file.write_text(re.sub(r"/etc/\S+\.pem", str(certificate), text))
    loaded = loading.load(str(file), overrides={})
    assert loaded.broker.tls is not None
    for key in list(config_page.keys()):
        name = key.rpartition(".")[2].rpartition("]")[2]
        assert re.search(rf"\b{name}:", text), f"{key} is not in the example"


def leaves() -> list[str]:
    """Return the paths of all settings that a file of one line can change."""
    every = list(config_page.keys())
    return [one for one in every if not any(other.startswith(f"{one}.") for other in every)]


@pytest.mark.parametrize("path", [path for path in leaves() if "[" not in path])
def test_the_page_knows_what_a_reload_takes_over(path: str) -> None:
    """A setting marked as reloaded is taken over at once, and any other asks for a restart."""
    changed = _changed(schema.Config(), path.split("."))
    waits = reload.needs_restart(schema.Config(), changed)
    assert (not waits) == config_page.is_reloaded(path)


def _changed(section: Any, path: list[str]) -> Any:
    """Return ``section`` with another value at ``path``."""
    name, *rest = path
    value = getattr(section, name)
    if rest:
        new = _changed(schema.Tls() if value is None else value, rest)
    elif isinstance(value, bool):
        new = not value
    else:
        new = "another"
    return msgspec.structs.replace(section, **{name: new})


@pages
def test_every_metric_named_exists(page: pathlib.Path) -> None:
    """A page names metrics of the catalogue only; with a star, a beginning of their names."""
    names = {metric.name for metric in catalogue.METRICS}
    names |= {f"{name}{suffix}" for name in names for suffix in ("_bucket", "_sum", "_count")}
    starts = {pattern.rstrip("*") for pattern in schema.Queues().ignore}
    for name, star in re.findall(r"(?<![\w./])(celery_[a-z0-9_]+)(\*?)(?![\w/])", page.read_text()):
        if star:
            assert name in starts or any(known.startswith(name) for known in names), name
        else:
            assert name in names or name == "celery_sentinel", name


@pages
def test_every_flag_named_exists(page: pathlib.Path) -> None:
    """A page names flags of our commands, or of others that are known here."""
    known = {flag for option in options() for flag in option.opts} | FOREIGN_FLAGS
    shown = code(page)
    if page.parent.name == "runbooks":
        # Full of other programs, whose commands are run by tests of their own.
        shown = "\n".join(line for line in shown.splitlines() if "celery-sentinel run" in line)
    if page == test_migration.PAGE:
        known |= test_migration.FLAGS
    found = set(re.findall(r"(?<![\w-])--[a-z][a-z.-]*[a-z]", shown))
    assert found - known == set()


@pages
def test_every_variable_named_exists(page: pathlib.Path) -> None:
    """A page names environment variables that are read."""
    known = {str(option.envvar) for option in options()} | {broker.CHOICE}
    known |= {str(argument.envvar) for argument in commands.main.commands["healthcheck"].params}
    found = set(re.findall(r"\bCELERY_SENTINEL_[A-Z_]+", page.read_text()))
    assert found - known == set()


@pages
def test_every_setting_named_exists(page: pathlib.Path) -> None:
    """A page names keys of the schema; what is inside transport_options is kombu's."""
    known = set(config_page.keys())
    found = re.findall(rf"(?<![\w./-])(?:{SECTIONS})(?:\.[a-z_]+(?:\[\])?)+", code(page))
    settings = {path for path in found if not path.endswith((".py", ".md", ".rules", ".yml"))}
    strange = {path for path in settings if not path.startswith("broker.transport_options.")}
    assert strange - known - {f"{path}[]" for path in known} == set()


@pages
def test_every_link_leads_somewhere(page: pathlib.Path) -> None:
    """Links and pictures inside the project exist, down to the heading."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if not re.match(r"[a-z]+:", target):
            path, _, heading = target.partition("#")
            file = (page.parent / path) if path else page
            assert file.exists(), target
            assert not heading or heading in headings(file), target


def headings(page: pathlib.Path) -> set[str]:
    """Return the anchors of the headings of a page."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pages
def test_every_module_named_exists(page: pathlib.Path) -> None:
    """A page names files of ours that exist: in the package, or from the root."""
    for name in re.findall(r"`([\w/]+\.py|[\w/]+/)`", page.read_text()):
        assert any((base / name).exists() for base in (ROOT, ROOT / "celery_sentinel")), name


def test_the_layers_are_those_of_the_contract() -> None:
    """docs/architecture.md shows the direction of imports that the contract enforces."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    section = (DOCS / "architecture.md").read_text().partition("## Direction of imports")[2]
    assert re.findall(r"^    (.+)$", section, re.MULTILINE)[: len(layers)] == layers


def test_the_control_commands_are_those_of_the_code() -> None:
    """SECURITY.md lists each command that workers are sent, and no other."""
    text = (ROOT / "SECURITY.md").read_text()
    listed = text.partition("no control commands but these")[2].partition("\n- ")[0]
    told = re.findall(r'control\.tell\("(\w+)"', inspect.getsource(poller_workers))
    told += re.findall(r'"method": "(\w+)"', inspect.getsource(mailboxes))
    assert set(re.findall(r"`([a-z_]+)`", listed)) == {*told, *replies.QUESTIONS}


def test_every_decision_is_listed() -> None:
    """The index of decisions leads to each of them, numbered without a gap."""
    files = sorted(file.name for file in (DOCS / "decisions").glob("0*.md"))
    assert [int(name[:4]) for name in files] == list(range(1, len(files) + 1))
    assert re.findall(r"\((0[^)]+)\)", (DOCS / "decisions" / "README.md").read_text()) == files


def test_the_picture_is_small() -> None:
    """A page that is read over a slow line has no picture above 300 kB."""
    assert [file for file in DOCS.rglob("*.png") if file.stat().st_size > 300_000] == []
