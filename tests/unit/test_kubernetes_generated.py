"""What deploy/kubernetes makes of alerts/ and grafana/: whole, and accepted by who reads it."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import jsonschema
import pytest
import yaml

from tests.servers import kustomize, server

if TYPE_CHECKING:
    import pathlib

_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_DURATION = {"type": "string", "pattern": r"^(\d+(ms|[smhdwy]))+$"}
_RULE = {
    "type": "object",
    "required": ["expr"],
    "oneOf": [{"required": ["alert"]}, {"required": ["record"]}],
    "additionalProperties": False,
    "properties": {
        "alert": {"type": "string"},
        "record": {"type": "string"},
        "expr": {"type": "string"},
        "for": _DURATION,
        "keep_firing_for": _DURATION,
        "labels": _TEXTS,
        "annotations": _TEXTS,
    },
}
# monitoring.coreos.com/v1, PrometheusRule.spec, as the operator's CRD has it.
RULES = {
    "type": "object",
    "required": ["groups"],
    "additionalProperties": False,
    "properties": {
        "groups": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["name", "rules"],
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string", "minLength": 1},
                    "interval": _DURATION,
                    "limit": {"type": "integer"},
                    "query_offset": _DURATION,
                    "partial_response_strategy": {"enum": ["", "abort", "warn"]},
                    "rules": {"type": "array", "items": _RULE},
                },
            },
        },
    },
}


@pytest.mark.parametrize("overlay", ["operator", "secure"])
def test_the_rules_are_those_of_alerts(overlay: str, tmp_path: pathlib.Path) -> None:
    """Each file of rules is one PrometheusRule, which the operator and promtool accept."""
    found = kustomize.of_kind(overlay, "PrometheusRule")
    files = sorted((kustomize.ROOT / "alerts").glob("*.rules.yml"))
    assert len(files) >= 5
    assert [each["metadata"]["name"] for each in found] == [
        f"celery-sentinel-{file.name.removesuffix('.rules.yml')}" for file in files
    ]
    for each, file in zip(found, files, strict=True):
        jsonschema.validate(each["spec"], RULES)
        assert each["spec"] == yaml.safe_load(file.read_text())
        written = tmp_path / f"{each['metadata']['name']}.yml"
        written.write_text(yaml.safe_dump(each["spec"]))
    promtool = server.find_binary("promtool", package="prometheus")
    command = [promtool, "check", "rules", *tmp_path.glob("*.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    groups = [group["name"] for each in found for group in each["spec"]["groups"]]
    assert len(groups) == len(set(groups))


def test_the_dashboards_are_those_of_grafana(tmp_path: pathlib.Path) -> None:
    """Each is a ConfigMap that the sidecar finds; where there is none, nothing is built."""
    made = tmp_path / "made"
    (made / "alerts").mkdir(parents=True)
    (made / "grafana").mkdir()
    (made / "grafana" / "Task_failures.json").write_text(text := json.dumps({"title": "Ä $x"}))
    for root in (kustomize.ROOT, made):
        copied = kustomize.sources(tmp_path / root.name, root=root)
        found = [
            each
            for each in kustomize.built(copied / "overlays" / "operator")
            if each["kind"] == "ConfigMap" and "config.yml" not in each["data"]
        ]
        files = sorted((root / "grafana").glob("*.json"))
        assert [each["data"] for each in found] == [{one.name: one.read_text()} for one in files]
        assert all(each["metadata"]["labels"]["grafana_dashboard"] == "1" for each in found)
    [only] = found
    assert only["metadata"]["name"] == "celery-sentinel-dashboard-task-failures"
    assert only["data"] == {"Task_failures.json": text}


@pytest.mark.parametrize("text", ["{", '"' + "x" * 1024 * 1024 + '"'], ids=["broken", "too large"])
def test_a_dashboard_that_cannot_be_used_is_refused(text: str, tmp_path: pathlib.Path) -> None:
    """Nothing that Grafana or Kubernetes would refuse later is built."""
    (tmp_path / "grafana").mkdir()
    (tmp_path / "grafana" / "tasks.json").write_text(text)
    with pytest.raises(subprocess.CalledProcessError):
        kustomize.sources(tmp_path / "out", root=tmp_path)
