"""Wheel and source distribution hold what they need and nothing else, and the wheel works."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tarfile
import zipfile

import pytest
from packaging import metadata

import celery_sentinel
from tests.packaging import conftest

PACKAGE = pathlib.Path(celery_sentinel.__file__).parent
VERSION = celery_sentinel.__version__
NAME = f"celery_sentinel-{VERSION}"
# What the package needs besides modules.
DATA = {"celery_sentinel/py.typed", "celery_sentinel/web/pages/landing.html"}
ABOUT = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
BESIDE = {"CHANGELOG.md", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml", ".gitignore"}


def sources() -> set[str]:
    """Return the paths of all files of the package as it lies in the source tree."""
    return {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_package_is_modules_and_known_data() -> None:
    """A file that is no module is there on purpose; what else lies about is shipped by mistake."""
    assert {path for path in sources() if not path.endswith(".py")} == DATA


def test_the_wheel_holds_the_package(built: conftest.Built) -> None:
    """Every file of the package is in it, with what describes it, and nothing else."""
    with zipfile.ZipFile(built.wheel) as wheel:
        names = set(wheel.namelist())
    assert names == sources() | {f"{NAME}.dist-info/{name}" for name in ABOUT}


def test_the_sdist_builds_the_wheel(built: conftest.Built) -> None:
    """The source distribution, of which the wheel was made, holds the package and its papers."""
    with tarfile.open(built.sdist) as sdist:
        names = {member.name for member in sdist.getmembers() if member.isfile()}
    assert names == {f"{NAME}/{path}" for path in sources() | BESIDE}


def test_there_is_one_version(built: conftest.Built) -> None:
    """Both carry the version of the package, which is the only place that states it."""
    assert built.wheel.name == f"{NAME}-py3-none-any.whl"
    assert built.sdist.name == f"{NAME}.tar.gz"
    project = (conftest.PROJECT / "pyproject.toml").read_text()
    assert 'dynamic = ["version"]' in project
    assert VERSION not in project


def test_the_metadata_is_valid(built: conftest.Built) -> None:
    """An index would take it: fields are known and well formed, the licence is an expression."""
    with zipfile.ZipFile(built.wheel) as wheel:
        told = metadata.Metadata.from_email(wheel.read(f"{NAME}.dist-info/METADATA"), validate=True)
    assert (told.name, str(told.version)) == ("celery-sentinel", VERSION)
    assert told.license_expression == "Apache-2.0"
    assert told.description_content_type == "text/markdown"
    assert str(told.requires_python) == ">=3.11"
    assert told.provides_extra == ["demo"]


@pytest.mark.timeout(600)
def test_the_wheel_runs_the_demo(built: conftest.Built, tmp_path: pathlib.Path) -> None:
    """In an environment with what is locked and the wheel alone, the demo comes up and ends."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    python = venv / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps"]
    locked = conftest.PROJECT / "requirements" / "demo.txt"
    hashed = ["--require-hashes", "--only-binary", ":all:", "--requirement", locked]
    subprocess.run([*pip, *hashed], check=True, timeout=240)
    subprocess.run([*pip, "--no-index", built.wheel], check=True, timeout=120)

    foreign = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [venv / "bin" / "celery-sentinel", "demo", "--duration", "1"],
        cwd=tmp_path,
        env={**foreign, "CELERY_SENTINEL_WEB_LISTEN_ADDRESS": "127.0.0.1:0"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, "all stopped")
    assert "A shop's Celery fleet is running" in done.stdout
    where = [python, "-c", "import celery_sentinel; print(celery_sentinel.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stdout.startswith(str(venv))
