"""What deploy/kubernetes builds: valid, confined, whole, and made from the files there are."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import click.testing
import pytest
import yaml

import celery_sentinel
from celery_sentinel.cli import commands, options
from tests.servers import kustomize, server
from tests.servers.kustomize import container, of_kind, pod, resources

if TYPE_CHECKING:
    from collections.abc import Iterator

OVERLAYS = ("plain", "operator", "secure")
NAMESPACE = "celery-sentinel"
USER = 65532
# The oldest release that has all fields used, and the newest whose schema is at hand.
RELEASES = ("1.27.0", "1.37.0")
DASHBOARD = "grafana_dashboard"  # the label that Grafana's sidecar looks for
OURS = {"PodMonitor", "PrometheusRule"}  # custom resources, of which Kubernetes has no schema
overlays = pytest.mark.parametrize("overlay", OVERLAYS)


@overlays
@pytest.mark.parametrize("release", RELEASES)
def test_kubernetes_accepts_it(overlay: str, release: str, tmp_path: pathlib.Path) -> None:
    """Each resource has the fields of its schema and no other."""
    file = tmp_path / "built.yaml"
    known = [each for each in resources(overlay) if each["kind"] not in OURS]
    assert len(known) >= 6
    file.write_text(yaml.safe_dump_all(known))
    tool = pathlib.Path(sys.executable).with_name("kubernetes-validate")
    done = subprocess.run(
        [tool, "--strict", "--kubernetes-version", release, file],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@overlays
def test_the_pod_is_restricted(overlay: str) -> None:
    """Every field that the Pod Security Standard `restricted` asks for is written out."""
    spec, only = pod(overlay), container(overlay)
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert only["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["automountServiceAccountToken"] is False
    assert of_kind(overlay, "ServiceAccount")[0]["automountServiceAccountToken"] is False
    forbidden = {"hostNetwork", "hostPID", "hostIPC", "initContainers", "ephemeralContainers"}
    assert not forbidden & set(spec)
    assert all("hostPort" not in port for port in only["ports"])
    kinds = {key for volume in spec["volumes"] for key in volume if key != "name"}
    assert kinds <= {"configMap", "secret", "emptyDir"}
    [namespace] = of_kind(overlay, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@overlays
def test_nothing_is_left_outside(overlay: str) -> None:
    """All is in one namespace, and whatever selects pods selects ours and no others."""
    ours = {"app.kubernetes.io/name": "celery-sentinel"}
    for each in resources(overlay):
        if each["kind"] != "Namespace":
            assert each["metadata"]["namespace"] == NAMESPACE, each["kind"]
    [stateful_set], [service] = of_kind(overlay, "StatefulSet"), of_kind(overlay, "Service")
    [budget] = of_kind(overlay, "PodDisruptionBudget")
    assert stateful_set["spec"]["template"]["metadata"]["labels"] == ours
    selectors = [stateful_set["spec"]["selector"], budget["spec"]["selector"]]
    selectors += [each["labelSelector"] for each in pod(overlay)["topologySpreadConstraints"]]
    selectors += [each["spec"]["selector"] for each in of_kind(overlay, "PodMonitor")]
    selectors += [each["spec"]["podSelector"] for each in of_kind(overlay, "NetworkPolicy")]
    assert all(selector == {"matchLabels": ours} for selector in selectors)
    assert service["spec"]["selector"] == ours
    assert stateful_set["spec"]["serviceName"] == service["metadata"]["name"]


@overlays
def test_a_pair_that_one_at_a_time_may_leave(overlay: str) -> None:
    """Two, apart, of which one stays; a broker that is down neither hides them nor holds nodes."""
    [stateful_set], [service] = of_kind(overlay, "StatefulSet"), of_kind(overlay, "Service")
    [budget] = of_kind(overlay, "PodDisruptionBudget")
    assert stateful_set["spec"]["replicas"] == 2
    assert budget["spec"]["maxUnavailable"] == 1
    assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"] is True
    spread = {each["topologyKey"] for each in pod(overlay)["topologySpreadConstraints"]}
    assert spread == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}


@overlays
def test_what_the_probes_ask(overlay: str) -> None:
    """Liveness never depends on the broker, readiness does; all ask where the daemon serves."""
    only = container(overlay)
    scheme = "HTTPS" if overlay == "secure" else "HTTP"
    paths = {name: only[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {name: asked["path"] for name, asked in paths.items()} == {
        "startup": "/-/healthy",
        "liveness": "/-/healthy",
        "readiness": "/-/ready",
    }
    assert {asked["scheme"] for asked in paths.values()} == {scheme}
    [port] = only["ports"]
    assert {asked["port"] for asked in paths.values()} == {port["name"]}
    assert port["containerPort"] == 9808
    [served] = of_kind(overlay, "Service")[0]["spec"]["ports"]
    assert served["targetPort"] == port["name"]


@overlays
def test_every_file_it_names_is_mounted(overlay: str) -> None:
    """Each variable is an option, each path lies in a volume, and each volume is there."""
    spec, only = pod(overlay), container(overlay)
    known = {f"CELERY_SENTINEL_{name.upper()}" for name in parameters()}
    mounts = {mount["mountPath"]: mount["name"] for mount in only["volumeMounts"]}
    for variable in only["env"]:
        assert variable["name"] in known
        assert str(pathlib.PurePosixPath(variable["value"]).parent) in mounts, variable
    claimed = of_kind(overlay, "StatefulSet")[0]["spec"].get("volumeClaimTemplates", ())
    volumes = {volume["name"] for volume in spec["volumes"]}
    claims = {claim["metadata"]["name"] for claim in claimed}
    assert set(mounts.values()) == volumes | claims
    assert not volumes & claims
    assert claims == (set() if overlay == "plain" else {"state"})
    assert [only["args"], only["image"]] == [["run"], f"celery-sentinel:{version()}"]


def parameters() -> Iterator[str]:
    """Yield the names of the options of run."""
    yield from (parameter.name or "" for parameter in commands.run.params)
    assert options.LOG_LEVEL == "--log.level"


def version() -> str:
    """Return the release that this version is or will be."""
    return re.sub(r"\.dev\d+$", "", celery_sentinel.__version__)


@overlays
def test_the_config_file_is_valid(overlay: str, tmp_path: pathlib.Path) -> None:
    """What the pods read passes check-config, and a change of it rolls them."""
    [config] = [each for each in of_kind(overlay, "ConfigMap") if "config.yml" in each["data"]]
    file = tmp_path / "config.yml"
    file.write_text(config["data"]["config.yml"])
    done = click.testing.CliRunner().invoke(commands.main, ["check-config", str(file)])
    assert (done.exit_code, done.stderr) == (0, "")
    assert re.fullmatch(r"celery-sentinel-config-[a-z0-9]{10}", config["metadata"]["name"])
    [volume] = [each for each in pod(overlay)["volumes"] if "configMap" in each]
    assert volume["configMap"]["name"] == config["metadata"]["name"]


@pytest.mark.parametrize("overlay", ["operator", "secure"])
def test_prometheus_scrapes_what_is_served(overlay: str) -> None:
    """The PodMonitor asks the port there is, in its scheme, for the job that the rules expect."""
    [monitor] = of_kind(overlay, "PodMonitor")
    [endpoint] = monitor["spec"]["podMetricsEndpoints"]
    [port] = container(overlay)["ports"]
    assert endpoint["port"] == port["name"]
    assert endpoint["scheme"].upper() == container(overlay)["livenessProbe"]["httpGet"]["scheme"]
    assert ("basicAuth" in endpoint) == (overlay == "secure")
    assert "jobLabel" not in monitor["spec"]
    assert endpoint["relabelings"] == [
        {"sourceLabels": ["__meta_kubernetes_namespace"], "targetLabel": "job"}
    ]
    assert monitor["metadata"]["namespace"] == "celery-sentinel"  # the job of the examples
    [policy] = of_kind(overlay, "NetworkPolicy")
    [allowed] = policy["spec"]["ingress"]
    assert [each["port"] for each in allowed["ports"]] == [port["name"]]


def test_a_further_fleet_brings_no_second_copy_of_rules(tmp_path: pathlib.Path) -> None:
    """What docs/deploy.md shows for it builds: in its own namespace, scraped, and judged once."""
    page = (kustomize.ROOT / "docs" / "deploy.md").read_text()
    [shown] = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    further = kustomize.sources(tmp_path) / "overlays" / "further"
    further.mkdir()
    (further / "kustomization.yaml").write_text(shown)
    built = kustomize.built(further)
    kinds = [each["kind"] for each in built]
    assert "PodMonitor" in kinds
    assert "PrometheusRule" not in kinds
    assert not [each for each in built if each["metadata"].get("labels", {}).get(DASHBOARD)]
    [named] = [each["metadata"]["name"] for each in built if each["kind"] == "Namespace"]
    spaces = {each["metadata"].get("namespace", named) for each in built}
    assert spaces == {named} != {NAMESPACE}


def test_runbooks_ask_for_what_there_is() -> None:
    """Commands at night find our pods: by namespace and label, or by the name of the first."""
    pages = sorted((kustomize.ROOT / "docs" / "runbooks").glob("*.md"))
    lines = [line for page in pages for line in page.read_text().splitlines()]
    ours = [line for line in lines if line.startswith("kubectl") and "celery-sentinel" in line]
    [stateful_set] = of_kind("plain", "StatefulSet")
    [(key, value)] = stateful_set["spec"]["selector"]["matchLabels"].items()
    namespace, name = (stateful_set["metadata"][each] for each in ("namespace", "name"))
    assert len(ours) > 5
    for line in ours:
        assert line.startswith(f"kubectl -n {namespace} "), line
        assert f" --selector {key}={value}" in line or f" exec {name}-0 -- " in line, line


def test_no_secret_is_built() -> None:
    """Secrets are named and never made here."""
    assert all(of_kind(overlay, "Secret") == [] for overlay in OVERLAYS)


def test_nothing_generated_is_in_the_repository() -> None:
    """A second copy of rules would grow stale, and be what is applied without `make kubernetes`."""
    git = server.find_binary("git", package="git")
    asked = [git, "-C", kustomize.ROOT, "ls-files", "--cached", "--ignored", "--exclude-standard"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert done.stdout == ""
    ignored = (kustomize.ROOT / ".gitignore").read_text().splitlines()
    assert "/deploy/kubernetes/generated/" in ignored
