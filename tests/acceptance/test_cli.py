"""The installed console script: its commands, their options and their exit codes."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest
import yaml

import celery_sentinel
from celery_sentinel import catalogue
from celery_sentinel.config import loading, schema

SCRIPT = pathlib.Path(sys.executable).with_name("celery-sentinel")
OURS = ("CELERY_SENTINEL_", "CREDENTIALS_DIRECTORY")


def call(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the script with ``variables`` in an environment without others of ours."""
    foreign = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return subprocess.run(
        [SCRIPT, *arguments],
        env={**foreign, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def checked(*arguments: str, **variables: str) -> schema.Config:
    """Return the configuration that check-config prints, loaded again."""
    done = call("check-config", *arguments, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    printed = yaml.safe_load(done.stdout)
    return loading.load(None, overrides={"broker.url": printed["broker"]["url"]}) and printed


def test_alone_it_prints_help() -> None:
    """Without a command there is help, which names all of them."""
    done = call()
    assert done.returncode == 0
    for command in ("check-config", "demo", "metrics", "run"):
        assert f"\n  {command} " in done.stdout


def test_version() -> None:
    """--version names the program and its version."""
    done = call("--version")
    assert (done.returncode, done.stdout) == (
        0,
        f"celery-sentinel, version {celery_sentinel.__version__}\n",
    )


def test_version_imports_neither_celery_nor_the_web() -> None:
    """--version and --help are quick because they load little."""
    code = (
        "import sys; from celery_sentinel import cli; "
        "print([name for name in ('celery', 'redis', 'starlette', 'uvicorn', 'structlog') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_option_names_its_variable() -> None:
    """The help of run names every flag with its environment variable."""
    text = " ".join(call("run", "--help").stdout.split())
    for flag in (
        *("--broker-url", "--broker-url-file", "--config.file", "--web.listen-address"),
        *("--web.telemetry-path", "--web.enable-lifecycle", "--log.level", "--log.format"),
    ):
        variable = flag.removeprefix("--").replace(".", "_").replace("-", "_").upper()
        assert f" {flag} " in text
        assert f"env var: CELERY_SENTINEL_{variable}" in text
