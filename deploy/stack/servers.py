"""Prometheus and Alertmanager from the system's packages, set up as in the compose stack."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from celery_sentinel import errors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROJECT = Path(__file__).resolve().parents[2]
COMPOSE = PROJECT / "deploy" / "compose"
ALERTS = PROJECT / "alerts"


def prometheus_config(jobs: Mapping[str, Sequence[str]]) -> str:
    """Return the compose stack's config with the addresses of ``jobs`` and the rules in place.

    ``jobs`` are the addresses to scrape by job; those of ``alertmanager`` are sent alerts.
    """
    config: dict[str, Any] = yaml.safe_load((COMPOSE / "prometheus.yml").read_text())
    config["rule_files"] = [str(ALERTS / Path(glob).name) for glob in config["rule_files"]]
    for scrape in config["scrape_configs"]:
        scrape["static_configs"] = [{"targets": list(jobs[scrape["job_name"]])}]
    [alertmanager] = config["alerting"]["alertmanagers"]
    alertmanager["static_configs"] = [{"targets": list(jobs["alertmanager"])}]
    return yaml.safe_dump(config, sort_keys=False)


def prometheus(config: Path, data: Path, address: str) -> list[str]:
    """Return the command line of a Prometheus that listens on ``address``."""
    return [
        _binary("prometheus", package="prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={data}",
        # What fires before Prometheus has found its Alertmanager is sent again so soon.
        "--rules.alert.resend-delay=5s",
        f"--web.listen-address={address}",
        f"--web.external-url=http://{address}/",
    ]


def alertmanager(data: Path, address: str) -> list[str]:
    """Return the command line of an Alertmanager that listens on ``address``."""
    return [
        _binary("prometheus-alertmanager", "alertmanager", package="prometheus-alertmanager"),
        f"--config.file={COMPOSE / 'alertmanager.yml'}",
        f"--storage.path={data}",
        f"--web.listen-address={address}",
        f"--web.external-url=http://{address}/",
        "--cluster.listen-address=",
    ]


def _binary(*names: str, package: str) -> str:
    """Return the path of the first program there is; raise SentinelError if there is none."""
    for name in names:
        if path := shutil.which(name):
            return path
    raise errors.SentinelError(
        f"the stack needs {names[0]}, which is not on PATH: run `make servers`, or as root "
        f"apt-get install {package}"
    )
