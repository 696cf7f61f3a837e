"""Builds what deploy/kubernetes describes, with a kubectl that knows components."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from tests.servers import server

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
_FETCHED = ROOT / "build" / "kubectl" / "usr" / "bin" / "kubectl"  # scripts/install-kubectl.sh

Resource = dict[str, Any]


def sources(directory: Path, *, root: Path = ROOT) -> Path:
    """Copy deploy/kubernetes into ``directory``, with what is generated from ``root``."""
    copied = directory / "kubernetes"
    shutil.copytree(KUBERNETES, copied, ignore=shutil.ignore_patterns("generated"))
    generator = KUBERNETES / "generate.py"
    subprocess.run([sys.executable, generator, copied / "generated", root], check=True)
    return copied


def built(directory: Path) -> list[Resource]:
    """Return the resources that ``directory`` with its kustomization makes."""
    done = subprocess.run(
        [_kubectl(), "kustomize", str(directory)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # it warns there of what is deprecated
    return list(yaml.safe_load_all(done.stdout))


@functools.cache
def resources(overlay: str) -> list[Resource]:
    """Return what an overlay of the repository builds."""
    with tempfile.TemporaryDirectory() as directory:
        return built(sources(Path(directory)) / "overlays" / overlay)


def of_kind(overlay: str, kind: str) -> list[Resource]:
    """Return the resources of one kind."""
    return [each for each in resources(overlay) if each["kind"] == kind]


def pod(overlay: str) -> Resource:
    """Return the specification of the only pod."""
    [stateful_set] = of_kind(overlay, "StatefulSet")
    found: Resource = stateful_set["spec"]["template"]["spec"]
    return found


def container(overlay: str) -> Resource:
    """Return its only container."""
    [found] = pod(overlay)["containers"]
    assert isinstance(found, dict)
    return found


def _kubectl() -> str:
    for candidate in filter(None, (shutil.which("kubectl"), str(_FETCHED))):
        if Path(candidate).exists() and _major(candidate) >= 5:
            return candidate
    raise server.ServerError("no kubectl with kustomize 5 (1.27 or later); run `make servers`")


def _major(kubectl: str) -> int:
    """Return the major version of kustomize within; old ones do not tell it."""
    command = [kubectl, "version", "--client", "--output=json"]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    version = json.loads(told.stdout or "{}").get("kustomizeVersion", "v0")
    return int(version.removeprefix("v").partition(".")[0])
