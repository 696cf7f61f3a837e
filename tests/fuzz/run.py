"""Runs one target under libFuzzer: python -m tests.fuzz.run TARGET [libFuzzer's flags, corpora]."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["celery_sentinel"]):
    from tests.fuzz import targets


def main() -> None:
    """Fuzz until libFuzzer's flags end it; a finding ends the process with a status of its own."""
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, targets.TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
