"""The installed ``celery-sentinel run``, as an operator starts it."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import parser

from tests.servers import fetch, process, server

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]

_LISTENING = re.compile(r"^(?=.*\bweb_listening\b).*\burl=\"?(http[^\s\"]+)", re.MULTILINE)


class Daemon(server.Server):
    """celery-sentinel on a port the system chooses; ``url`` is read from its log.

    ``broker_url`` None leaves the flag away, for tests of the other sources; ``args`` are
    further flags. With ``port`` it is found at the same address after a restart.
    """

    def __init__(
        self,
        directory: Path,
        broker_url: str | None,
        *,
        args: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        port: int = 0,
        name: str = "celery-sentinel",
    ) -> None:
        super().__init__(directory, name)
        self.stdout = directory / f"{name}.stdout"
        broker = [] if broker_url is None else ["--broker-url", broker_url]
        self._arguments = ["run", *broker, "--web.listen-address", f"127.0.0.1:{port}", *args]
        self._environment = environment or {}

    @property
    def url(self) -> str:
        """The base URL, without a slash at the end."""
        announced = self._announced()
        if announced is None:
            raise server.ServerError(f"{self.name} has not said where it listens")
        return announced

    @property
    def stderr_text(self) -> str:
        """All that the latest start has logged."""
        return self.process.log_text()

    def get(self, path: str, *, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Fetch a path, such as ``/-/ready``; any status is returned."""
        # trust_env: a proxy of the machine has no business between us and loopback.
        return fetch.get(self.url + path, headers=headers)

    def scrape(self) -> Samples:
        """Fetch /metrics as a scraper; return the value of each sample by (name, set of labels)."""
        response = self.get("/metrics", headers={"Accept": "text/plain; version=0.0.4"})
        response.raise_for_status()
        return parse(response.text)

    def wait(self, timeout: float) -> int:
        """Wait for the daemon to end by itself and return its exit code."""
        return self.process.wait(timeout)

    def _launch(self) -> process.Process:
        return process.Process(
            [_console_script(), *self._arguments],
            env={**os.environ, "PYTHONUNBUFFERED": "1", **self._environment},
            cwd=self.directory,
            log=self.log,
            stdout=self.stdout,
        )

    def _answers(self) -> bool:
        return self._announced() is not None

    def _announced(self) -> str | None:
        found = _LISTENING.search(self.stderr_text)
        return found.group(1).rstrip("/") if found else None


def parse(text: str) -> Samples:
    """Parse the text format; a sample that appears twice is an error."""
    samples: Samples = {}
    for family in parser.text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            if key in samples:
                raise ValueError(f"{sample.name}{sample.labels} appears twice")
            samples[key] = sample.value
    return samples


def total(samples: Samples, name: str, /, **labels: str) -> float | None:
    """Add up the samples of ``name`` that carry ``labels``, among others; None without any."""
    wanted = labels.items()
    values = [
        value
        for (sample_name, sample_labels), value in samples.items()
        if sample_name == name and wanted <= sample_labels
    ]
    return sum(values) if values else None


def _console_script() -> str:
    script = Path(sys.executable).with_name("celery-sentinel")
    if not script.exists():
        raise server.ServerError(f"{script} is missing; install the project: make install")
    return str(script)
