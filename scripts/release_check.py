"""Says what is missing before a release: ``release_check.py [PROJECT]``, exit code 0 when nothing.

Run by ``make release-check``, which also tests and builds what is released.
"""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)
_FINAL = re.compile(r"\d+\.\d+\.\d+")
_HEADING = re.compile(r"^## \[([^\]]+)\](?: - (\S+))?$", re.MULTILINE)
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
INIT = "celery_sentinel/__init__.py"
CHANGELOG = "CHANGELOG.md"


def faults(project: pathlib.Path) -> Iterator[str]:
    """Yield what has to be done in ``project``, a git checkout, before it can be released."""
    found = _VERSION.search((project / INIT).read_text(encoding="utf-8"))
    version = found[1] if found else ""
    if not _FINAL.fullmatch(version):
        yield f"{INIT}: the version is {version!r}; set it to the one to release, such as 0.1.0"
    yield from _changelog_faults((project / CHANGELOG).read_text(encoding="utf-8"), version)
    if _git(project, "status", "--porcelain"):
        yield "the work tree has changes: commit them, for what is built must be what is tagged"
    if _git(project, "tag", "--list", f"v{version}"):
        yield f"the tag v{version} exists: a release is never made twice; raise the version"


def _changelog_faults(text: str, version: str) -> Iterator[str]:
    headings = list(_HEADING.finditer(text))
    names = [heading[1] for heading in headings]
    if names[:1] != ["Unreleased"]:
        yield f"{CHANGELOG}: the first section is {names[:1]}; keep ## [Unreleased] on top"
        return
    end = headings[1].start() if len(headings) > 1 else len(text)
    if text[headings[0].end() : end].strip():
        yield f"{CHANGELOG}: Unreleased has entries; move them below ## [{version}] - YYYY-MM-DD"
    dates = [heading[2] for heading in headings if heading[1] == version]
    if len(dates) != 1 or not _DATE.fullmatch(dates[0] or ""):
        yield f"{CHANGELOG}: there is no single section ## [{version}] - YYYY-MM-DD"


def _git(project: pathlib.Path, *arguments: str) -> str:
    command = ["git", "-C", str(project), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603 - git with our own arguments


def main(arguments: list[str]) -> int:
    """Print what is missing; return the exit code."""
    missing = list(faults(pathlib.Path(arguments[0] if arguments else ".")))
    for fault in missing:
        sys.stderr.write(f"release-check: {fault}\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
