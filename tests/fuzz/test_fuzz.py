"""Every target holds for its corpus, and for what a few seconds of fuzzing make of it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import seeds, targets

SECONDS = int(os.environ.get("FUZZ_SECONDS", "3"))  # of fuzzing, for each target
# Where the corpus alone took all the time, for a busy machine is slow, there is more of it.
ATTEMPTS = (1, 4, 16)
MEGABYTES = 1024
ROOT = Path(__file__).parents[2]
INSTALLABLE = sys.platform == "linux" and platform.machine() == "x86_64"


@pytest.mark.parametrize("target", targets.TARGETS)
def test_the_corpus_holds(target: str) -> None:
    """What was found once, and the seeds, are found no more; needs no fuzzer."""
    files = sorted((seeds.CORPUS / target).iterdir())
    assert files
    for file in files:
        targets.TARGETS[target](file.read_bytes())


@pytest.mark.parametrize("target", targets.TARGETS)
def test_the_seeds_are_in_the_corpus(target: str) -> None:
    """Each target has as many seeds as its generator gives: else run tests.fuzz.seeds."""
    written = list((seeds.CORPUS / target).glob("seed-*"))
    assert len(written) == len(list(seeds.SEEDS[target]()))


@pytest.mark.skipif(not INSTALLABLE, reason="atheris has wheels for Linux on x86-64 only")
@pytest.mark.timeout(sum(ATTEMPTS) * SECONDS + 180)
@pytest.mark.parametrize("target", targets.TARGETS)
def test_fuzzing_finds_nothing(target: str, tmp_path: Path) -> None:
    """A finding is kept by pytest in the directory of the test, and its text is shown."""
    grown = tmp_path / "corpus"
    grown.mkdir()
    for times in ATTEMPTS:
        done = _fuzz(target, tmp_path, grown, seconds=SECONDS * times)
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
        if any(grown.iterdir()):
            return
    pytest.fail("the fuzzer ran nothing")


def _fuzz(
    target: str, directory: Path, grown: Path, *, seconds: int
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "tests.fuzz.run", target),
            *(f"-max_total_time={seconds}", f"-rss_limit_mb={MEGABYTES}", "-timeout=20"),
            *("-verbosity=0", f"-artifact_prefix={directory}/"),
            *(f"-dict={Path(__file__).with_name('dictionary')}", str(grown)),
            str(seeds.CORPUS / target),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
