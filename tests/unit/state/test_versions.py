"""A state file is read by every later program that says it reads its version."""

from __future__ import annotations

import json

import pytest

from celery_sentinel.state import schema as state_schema
from tests.unit.state import golden

FILES = sorted(golden.HERE.glob("version-*.state"))


def test_this_version_is_among_them() -> None:
    """Whoever changes what stands in the file raises the version, and leaves a file behind."""
    assert f"version-{state_schema.VERSION}.state" in [file.name for file in FILES]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_was_written_then_is_understood_now(file: golden.pathlib.Path) -> None:
    """Each figure is in its place: a field that moved, or took another's, would show."""
    expected = json.loads(file.with_suffix(".json").read_text())
    found = golden.shown(golden.restored(file))
    assert {sample: found.get(sample) for sample in expected} == expected
    assert len(expected) > 80
