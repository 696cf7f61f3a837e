"""Files and functions stay small enough to be read at once; CONTRIBUTING.md states the limits."""

from __future__ import annotations

import ast
import pathlib
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = pathlib.Path(__file__).parents[2]
FOLDERS = ("celery_sentinel", "tests", "grafana", "benchmarks", "deploy", "docs", "scripts")
LONGEST_FILE = 300  # lines
LONGEST_FUNCTION = 39  # lines of its body, docstring apart


def sources(folder: pathlib.Path) -> list[pathlib.Path]:
    """Return the Python files of a folder; an environment below it is not ours."""
    inside = (path for path in folder.rglob("*.py") if ".envs" not in path.parts)
    return sorted(inside)


def too_long(path: pathlib.Path) -> Iterator[str]:
    """Yield what is too long in a file: itself, and functions in it."""
    text = path.read_text(encoding="utf-8")
    lines = text.count("\n")
    if lines > LONGEST_FILE:
        yield f"{path}: {lines} lines, {LONGEST_FILE} are allowed: split it by purpose"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = _body(node)
            if lines > LONGEST_FUNCTION:
                yield (
                    f"{path}:{node.lineno}: {node.name} has {lines} lines, "
                    f"{LONGEST_FUNCTION} are allowed: give a part of it a name"
                )


def _body(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first, *more = function.body
    if more and ast.get_docstring(function) is not None:
        first = more[0]
    return (function.body[-1].end_lineno or 0) - first.lineno + 1


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_file_and_no_function_is_too_long(folder: str) -> None:
    """Each has one purpose, and what grew beyond the limit has two."""
    found = sources(ROOT / folder)
    assert found
    assert [complaint for path in found for complaint in too_long(path)] == []


def test_what_is_too_long_is_named(tmp_path: pathlib.Path) -> None:
    """At the limit nothing is said; one line over it, the file and the function are named."""
    body = "    x = 1\n" * LONGEST_FUNCTION
    function = f'async def grown():\n    """A\n\n    B.\n    """\n{body}'
    path = tmp_path / "long.py"
    path.write_text(function + "\n" * (LONGEST_FILE - function.count("\n")))
    assert list(too_long(path)) == []

    path.write_text(function + "    x = 1\n" + "\n" * (LONGEST_FILE - function.count("\n")))
    file, grown = too_long(path)
    assert file.endswith("long.py: 301 lines, 300 are allowed: split it by purpose")
    assert "long.py:1: grown has 40 lines, 39 are allowed" in grown
