"""The two distributions, built as a release builds them."""

from __future__ import annotations

import pathlib
import subprocess
import sys
from typing import NamedTuple

import pytest

PROJECT = pathlib.Path(__file__).parents[2]


class Built(NamedTuple):
    """The files of a release."""

    sdist: pathlib.Path
    wheel: pathlib.Path


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Build the source distribution, and the wheel from what is in it."""
    directory = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", directory, PROJECT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [sdist], [wheel] = directory.glob("*.tar.gz"), directory.glob("*.whl")
    return Built(sdist, wheel)
