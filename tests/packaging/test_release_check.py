"""``make release-check`` names all that is missing before a release."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.packaging import conftest
from tests.servers import server

if TYPE_CHECKING:
    import pathlib

SCRIPT = conftest.PROJECT / "scripts" / "release_check.py"
READY = "# Changelog\n\n## [Unreleased]\n\n## [0.1.0] - 2026-11-20\n\n- It is there.\n"


@pytest.fixture
def project(tmp_path: pathlib.Path) -> pathlib.Path:
    """Make a project that can be released."""
    package = tmp_path / "celery_sentinel"
    package.mkdir()
    (package / "__init__.py").write_text('"""It."""\n\n__version__ = "0.1.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(READY)
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return tmp_path


def git(directory: pathlib.Path, *arguments: str) -> None:
    """Run git as somebody, whoever runs the tests."""
    somebody = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
    subprocess.run(
        [server.find_binary("git", package="git"), "-C", directory, *somebody, *arguments],
        check=True,
    )


def commit(directory: pathlib.Path) -> None:
    """Commit all there is."""
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "--message", "a change")


def complaints(project: pathlib.Path) -> list[str]:
    """Return what the script says, checked against its exit code."""
    done = subprocess.run(
        [sys.executable, SCRIPT, project], capture_output=True, text=True, check=False
    )
    lines = done.stderr.splitlines()
    assert done.returncode == bool(lines)
    return lines


def test_nothing_is_missing(project: pathlib.Path) -> None:
    """With a final version, its section, and all committed it can go out."""
    assert complaints(project) == []


@pytest.mark.parametrize("version", ["0.1.0.dev0", "0.1", "1.0.0rc1"])
def test_the_version_is_final(project: pathlib.Path, version: str) -> None:
    """What is no x.y.z is not released, and has no section either."""
    (project / "celery_sentinel" / "__init__.py").write_text(f'__version__ = "{version}"\n')
    commit(project)
    told = complaints(project)
    assert repr(version) in told[0]
    assert f"## [{version}]" in told[1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (READY.replace("\n## [0.1.0]", "\n- Forgotten.\n\n## [0.1.0]"), "Unreleased has entries"),
        (READY.replace("2026-11-20", "soon"), "YYYY-MM-DD"),
        (READY + "\n## [0.1.0] - 2026-11-21\n", "no single section"),
        (READY.replace("## [Unreleased]\n", ""), "keep ## [Unreleased] on top"),
    ],
)
def test_the_changelog_is_ready(project: pathlib.Path, text: str, words: str) -> None:
    """The version has one section with a date, and nothing is left above it."""
    (project / "CHANGELOG.md").write_text(text)
    commit(project)
    [told] = complaints(project)
    assert words in told


def test_all_is_committed(project: pathlib.Path) -> None:
    """A stray file would be in what is built and not in what is tagged."""
    (project / "stray").touch()
    assert ["the work tree has changes" in line for line in complaints(project)] == [True]


def test_a_release_is_made_once(project: pathlib.Path) -> None:
    """A version that has its tag is out."""
    git(project, "tag", "v0.1.0")
    assert ["the tag v0.1.0 exists" in line for line in complaints(project)] == [True]
