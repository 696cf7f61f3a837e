"""Runs the installed console script to its end, without settings of ours in the environment."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

SCRIPT = pathlib.Path(sys.executable).with_name("celery-sentinel")
_OURS = ("CELERY_SENTINEL_", "CREDENTIALS_DIRECTORY")


def call(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Return what the script did with ``arguments``, and ``variables`` in its environment."""
    foreign = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return subprocess.run(
        [SCRIPT, *arguments],
        env={**foreign, **variables},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
