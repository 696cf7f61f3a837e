"""The locks hold what the daemon imports: the tests' own packages would hide what is missing."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
# Imports modules as if only the distributions in argv[1] were installed, and ours.
WITHOUT_OTHERS = """
import importlib, json, re, sys
from importlib import metadata

locked = {*json.loads(sys.argv[1]), "celery-sentinel"}
hidden = {
    module
    for module, owners in metadata.packages_distributions().items()
    if not locked & {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners}
}

class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hide())
assert "pytest" in hidden
for name in sys.argv[2:]:
    importlib.import_module(name)
"""
TRANSPORTS = ("kombu.transport.redis", "kombu.transport.pyamqp", "kombu.transport.filesystem")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_daemon_needs_no_more_than_is_locked(transport: str) -> None:
    """With nothing but requirements/run.txt all its modules, and kombu's transports, import."""
    text = (ROOT / "requirements" / "run.txt").read_text()
    locked = re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE)
    modules = ["celery_sentinel.cli", "celery_sentinel.daemon", transport]
    command = [sys.executable, "-c", WITHOUT_OTHERS, json.dumps(locked), *modules]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
