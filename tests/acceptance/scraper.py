"""A real Prometheus that scrapes one target."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import httpx
import yaml

from tests.servers import fetch, ports, process, server

if TYPE_CHECKING:
    from pathlib import Path


class Scraper(server.Server):
    """Prometheus with one job of ``scrape`` settings, in the words of its configuration."""

    def __init__(self, directory: Path, scrape: dict[str, Any]) -> None:
        super().__init__(directory, "prometheus")
        self._binary = server.find_binary("prometheus", package="prometheus")
        config = {
            "global": {"scrape_interval": "3s", "scrape_timeout": "3s"},
            "scrape_configs": [{"job_name": "celery", **scrape}],
        }
        (directory / "prometheus.yml").write_text(yaml.safe_dump(config))
        self._port = 0

    def target(self) -> dict[str, Any]:
        """Return what Prometheus says of its only target; {} before it knows of it."""
        answer = self._get("/api/v1/targets")["data"]["activeTargets"]
        return answer[0] if answer else {}

    def _choose_ports(self) -> None:
        self._port = ports.free_port()

    def _launch(self) -> process.Process:
        return process.Process(
            [
                self._binary,
                f"--config.file={self.directory / 'prometheus.yml'}",
                f"--storage.tsdb.path={self.directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{self._port}",
            ],
            env=dict(os.environ),
            cwd=self.directory,
            log=self.log,
        )

    def _answers(self) -> bool:
        try:
            self._get("/api/v1/status/runtimeinfo")
        except (httpx.TransportError, ValueError):
            return False
        return True

    def _get(self, path: str) -> Any:
        url = f"http://127.0.0.1:{self._port}{path}"
        return fetch.get(url).json()
