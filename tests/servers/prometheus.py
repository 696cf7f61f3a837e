"""A Prometheus of the tests' own, with targets that come and go."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import httpx
import yaml

from tests.servers import fetch, ports, process, server

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Prometheus(server.Server):
    """prometheus on a free loopback port; ``interval`` is that of scrapes and evaluations, in s.

    ``rules`` are rule files, ``alertmanager`` a host and port.
    """

    def __init__(
        self,
        directory: Path,
        *,
        interval: int,
        rules: Sequence[Path] = (),
        alertmanager: str | None = None,
        name: str = "prometheus",
    ) -> None:
        super().__init__(directory, name)
        self._port = 0
        self._targets = directory / f"{name}-targets"
        self._targets.mkdir()
        self._config = directory / f"{name}.yml"
        document: dict[str, Any] = {
            "global": {"scrape_interval": f"{interval}s", "evaluation_interval": f"{interval}s"},
            "rule_files": [str(file) for file in rules],
            "scrape_configs": [
                {
                    "job_name": "celery-sentinel",
                    "scrape_timeout": f"{interval}s",
                    "file_sd_configs": [{"files": [f"{self._targets}/*.json"]}],
                }
            ],
        }
        if alertmanager:
            managers = [{"static_configs": [{"targets": [alertmanager]}]}]
            document["alerting"] = {"alertmanagers": managers}
        self._config.write_text(yaml.safe_dump(document))

    @property
    def url(self) -> str:
        """The base URL, without a slash at the end."""
        return f"http://127.0.0.1:{self._port}"

    def scrape(self, job: str, targets: Sequence[str]) -> None:
        """From now on scrape ``targets`` (host and port) as ``job``; it may not run yet."""
        file = self._targets / f"{job}.json"
        unseen = file.with_suffix(".new")
        unseen.write_text(json.dumps([{"targets": list(targets), "labels": {"job": job}}]))
        unseen.rename(file)

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Return the labels and values of an instant vector."""
        answer = self._get("/api/v1/query", query=expression)
        found = answer.json()["data"]["result"]
        return [(sample["metric"], float(sample["value"][1])) for sample in found]

    def knows_alertmanager(self) -> bool:
        """Tell whether alerts would be sent."""
        return bool(self._get("/api/v1/alertmanagers").json()["data"]["activeAlertmanagers"])

    def _get(self, path: str, **parameters: str) -> httpx.Response:
        found = fetch.get(self.url + path, params=parameters)
        return found.raise_for_status()

    def _choose_ports(self) -> None:
        self._port = ports.free_port()

    def _launch(self) -> process.Process:
        binary = server.find_binary("prometheus", package="prometheus")
        return process.Process(
            [
                binary,
                f"--config.file={self._config}",
                f"--storage.tsdb.path={self.directory / f'{self.name}-data'}",
                f"--web.listen-address=127.0.0.1:{self._port}",
                # What did not reach Alertmanager is otherwise sent again after a minute.
                "--rules.alert.resend-delay=2s",
            ],
            env={"LC_ALL": "C.UTF-8"},
            cwd=self.directory,
            log=self.log,
        )

    def _answers(self) -> bool:
        # A stranger on our port would be ready, too: ours has logged that it is.
        with contextlib.suppress(httpx.HTTPError):
            self._get("/-/ready")
            return "Server is ready to receive web requests" in self.process.log_text()
        return False
