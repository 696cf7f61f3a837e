"""The compose stack: its schema, its hardening, and that all it mounts and asks for exists."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

PROJECT = pathlib.Path(__file__).parents[2]
COMPOSE = PROJECT / "deploy" / "compose"
FILE = COMPOSE / "compose.yaml"
STACK: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
SILENT = {"beat", "traffic"}  # what answers nothing has no health check
FROM_IMAGE = {"sentinel-1", "sentinel-2"}  # what has the health check of its image


def text_files() -> list[pathlib.Path]:
    """Return the YAML files of deployment that are ours to style."""
    directories = (COMPOSE, PROJECT / "deploy" / "grafana")
    return sorted(path for each in directories for path in each.rglob("*.y*ml"))


def tool(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a tool of the environment on the project."""
    program = pathlib.Path(sys.executable).with_name(name)
    return subprocess.run(
        [program, *arguments], cwd=PROJECT, capture_output=True, text=True, check=False
    )


def mounts(service: dict[str, Any]) -> dict[str, str]:
    """Return what is mounted, by where: a path beside the compose file or a volume."""
    split = (volume.split(":") for volume in service.get("volumes", ()))
    return {where: what for what, where, *_ in split}


def test_it_keeps_to_the_schema() -> None:
    """The specification of compose knows every key."""
    done = tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE))
    assert done.returncode == 0, done.stdout


def test_the_yaml_is_clean() -> None:
    """The linter has nothing to say, not even a warning."""
    done = tool("yamllint", "--strict", "--config-file", ".yamllint.yml", *map(str, text_files()))
    assert (done.returncode, done.stdout) == (0, "")


def test_the_dockerfile_is_clean() -> None:
    """The linter has nothing to say."""
    done = tool("hadolint", "--no-color", "Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", SERVICES)
def test_services_are_confined(name: str) -> None:
    """None may write to its root, gain rights, or use more than its share; all say their image."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"privileged", "cap_add", "network_mode", "pid", "devices"}.isdisjoint(service)
    limits = service["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory", "pids"}
    if "build" not in service:
        assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+(-alpine)?", service["image"])
        assert not service["user"].startswith(("0", "root"))


@pytest.mark.parametrize("name", SERVICES)
def test_services_are_looked_after(name: str) -> None:
    """Each has a health check without a shell, but for those that answer nothing."""
    health = SERVICES[name].get("healthcheck", {})
    if name in SILENT:
        assert health == {"disable": True}
    elif name not in FROM_IMAGE:
        assert health["test"][0] == "CMD"


def test_only_loopback_is_listened_on() -> None:
    """The demonstration has no passwords, so no port is open to others."""
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert len(ports) == len(set(ports)) == 5
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_what_is_mounted_exists() -> None:
    """Paths are there and read-only, volumes are declared and all used."""
    used = set()
    for service in SERVICES.values():
        for what in mounts(service).values():
            if what.startswith("."):
                assert (COMPOSE / what).resolve().is_relative_to(PROJECT)
                assert (COMPOSE / what).exists(), what
            else:
                used.add(what)
        writable = [line for line in service.get("volumes", ()) if not line.endswith(":ro")]
        assert all(not line.startswith(".") for line in writable)
    assert used == set(STACK["volumes"])


def test_the_workers_do_what_is_sent() -> None:
    """The queues of the shop have their workers, under the names their checks ask for."""
    queues: set[str] = set()
    for name in ("worker-orders", "worker-reports"):
        options = dict(word.split("=") for word in SERVICES[name]["command"] if "=" in word)
        queues.update(options["--queues"].split(","))
        node = options["--hostname"].replace("%h", SERVICES[name]["hostname"])
        assert f"--destination={node}" in SERVICES[name]["healthcheck"]["test"]
    config = yaml.safe_load((COMPOSE / "celery-sentinel.yml").read_text())
    assert queues == set(config["queues"]["watch"])


def test_the_sentinels_take_their_configuration() -> None:
    """It is valid, without a doubt, and where the variable says."""
    done = tool("celery-sentinel", "check-config", str(COMPOSE / "celery-sentinel.yml"))
    assert (done.returncode, done.stderr) == (0, "")
    for name in FROM_IMAGE:
        variables = SERVICES[name]["environment"]
        assert variables["CELERY_SENTINEL_CONFIG_FILE"] in mounts(SERVICES[name])
        state = pathlib.PurePath(variables["CELERY_SENTINEL_STATE_FILE"])
        assert not mounts(SERVICES[name])[str(state.parent)].startswith(".")


def test_prometheus_knows_the_services() -> None:
    """It scrapes and alerts what there is, at the ports they have, and loads all rules."""
    config = yaml.safe_load((COMPOSE / "prometheus.yml").read_text())
    targets = {
        target
        for asked in [*config["scrape_configs"], *config["alerting"]["alertmanagers"]]
        for group in asked["static_configs"]
        for target in group["targets"]
    }
    known = {f"{name}:{port}" for name, port in (("alertmanager", 9093), ("localhost", 9090))}
    assert targets == known | {f"{name}:9808" for name in FROM_IMAGE}
    [glob] = config["rule_files"]
    directory, _, pattern = glob.rpartition("/")
    rules = (COMPOSE / mounts(SERVICES["prometheus"])[directory]).resolve()
    assert set(rules.glob(pattern)) == set((PROJECT / "alerts").glob("*.rules.yml")) != set()


def test_alertmanager_silences_as_the_example_does() -> None:
    """Its inhibitions are those of the example: copy them when that changes."""
    ours = yaml.safe_load((COMPOSE / "alertmanager.yml").read_text())
    example = yaml.safe_load((PROJECT / "alerts" / "alertmanager.example.yml").read_text())
    assert ours["inhibit_rules"] == example["inhibit_rules"]
    assert [set(receiver) for receiver in ours["receivers"]] == [{"name"}]


def test_grafana_is_provisioned() -> None:
    """It finds its data source and the dashboards where they are mounted."""
    grafana = SERVICES["grafana"]
    provisioning = COMPOSE / mounts(grafana)["/etc/grafana/provisioning"]
    [source] = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())[
        "datasources"
    ]
    assert source["url"] == "$PROMETHEUS_URL"
    assert grafana["environment"]["PROMETHEUS_URL"] == "http://prometheus:9090"
    [provider] = yaml.safe_load((provisioning / "dashboards" / "celery-sentinel.yml").read_text())[
        "providers"
    ]
    dashboards = COMPOSE / mounts(grafana)[provider["options"]["path"]]
    assert dashboards.resolve() == PROJECT / "grafana"
    for dashboard in dashboards.glob("*.json"):
        json.loads(dashboard.read_text())


def test_only_what_is_copied_goes_to_the_builder() -> None:
    """The build context holds what the Dockerfile copies, no more."""
    copied = re.findall(
        r"^COPY (?!--)(.+) \S+$", (PROJECT / "Dockerfile").read_text(), re.MULTILINE
    )
    wanted = {path for line in copied for path in line.split()}
    ignored = (PROJECT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    assert {line[1:].rstrip("/") for line in ignored if line.startswith("!")} == wanted
