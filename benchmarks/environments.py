"""Environments of their own for the peers, made once, from pinned versions."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

_HERE = Path(__file__).parent
ROOT = _HERE / ".envs"


def python(name: str) -> str:
    """Return the interpreter of the environment ``name``, made if it is not there yet.

    What it holds is pinned in requirements/NAME.txt; another content is another environment.
    """
    pinned = _HERE / "requirements" / f"{name}.txt"
    mark = hashlib.sha256(pinned.read_bytes()).hexdigest()[:12]
    home = ROOT / f"{name}-{mark}"
    interpreter = home / "bin" / "python"
    done = home / "complete"
    if not done.exists():
        print(f"installing {name} into {home}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        pip = [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--no-deps", "--requirement", str(pinned)], check=True)
        done.touch()
    return str(interpreter)
