"""Builds the resources that are made of other files: alert rules and dashboards.

kustomize cannot wrap a file of rules into a PrometheusRule, and a second copy of it would grow
stale, so both are built when wanted, as two components: `make kubernetes`, or
`generate.py [DIRECTORY [ROOT]]`. DIRECTORY is `generated` beside this file unless it is given, ROOT
this checkout.
"""

from __future__ import annotations

import json
import pathlib
import re
import shutil
import sys
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LABELS = {"app.kubernetes.io/name": "celery-sentinel"}
FOLDER = {"grafana_folder": "Celery"}  # where Grafana's sidecar puts a dashboard
LARGEST = 1024 * 1024  # bytes that Kubernetes allows in a ConfigMap

Resource = dict[str, Any]


def rules(directory: pathlib.Path) -> Iterator[Resource]:
    """Yield a PrometheusRule for each file of rules, with its groups as they are."""
    for file in sorted(directory.glob("*.rules.yml")):
        yield {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": _metadata(file.name.removesuffix(".rules.yml")),
            "spec": {"groups": yaml.safe_load(file.read_text())["groups"]},
        }


def dashboards(directory: pathlib.Path) -> Iterator[Resource]:
    """Yield a ConfigMap for each dashboard, which is JSON."""
    for file in sorted(directory.glob("*.json")):
        text = file.read_text()
        json.loads(text)  # or Grafana would be the first to notice
        if len(text.encode()) > LARGEST:
            raise SystemExit(f"{file} is larger than the {LARGEST} bytes of a ConfigMap")
        metadata = _metadata(f"dashboard-{file.stem}")
        yield {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                **metadata,
                "labels": {**metadata["labels"], "grafana_dashboard": "1"},
                "annotations": FOLDER,
            },
            "data": {file.name: text},
        }


def write(directory: pathlib.Path, *, root: pathlib.Path) -> None:
    """Write both components into ``directory``, and remove what was there before."""
    for name, resources in (
        ("rules", rules(root / "alerts")),
        ("dashboards", dashboards(root / "grafana")),
    ):
        component = directory / name
        shutil.rmtree(component, ignore_errors=True)
        component.mkdir(parents=True)
        files = []
        for resource in resources:
            files.append(f"{resource['metadata']['name']}.yaml")
            (component / files[-1]).write_text(_yaml(resource))
        kustomization: Resource = {
            "apiVersion": "kustomize.config.k8s.io/v1alpha1",
            "kind": "Component",
            "resources": files,
        }
        (component / "kustomization.yaml").write_text(_yaml(kustomization))


def _metadata(name: str) -> Resource:
    usable = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return {"name": f"celery-sentinel-{usable}", "labels": dict(LABELS)}


def _yaml(resource: Resource) -> str:
    return yaml.safe_dump(resource, sort_keys=False, allow_unicode=True)


if __name__ == "__main__":
    given = [pathlib.Path(argument) for argument in sys.argv[1:3]]
    target, source = [*given, *(HERE / "generated", ROOT)[len(given) :]]
    write(target, root=source)
