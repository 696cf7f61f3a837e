"""An Alertmanager of the tests' own, and a receiver that records what it delivers."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import httpx

from tests.servers import fetch, ports, process, server

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_SECONDS = 60.0
PACKAGE = "prometheus-alertmanager"


class Alertmanager(server.Server):
    """prometheus-alertmanager on a free loopback port, without a cluster.

    ``config`` is a file; templates it names are looked for beside it.
    """

    def __init__(self, directory: Path, config: Path, *, name: str = "alertmanager") -> None:
        super().__init__(directory, name)
        self._config = config
        self._port = 0

    @property
    def url(self) -> str:
        """The base URL, without a slash at the end."""
        return f"http://127.0.0.1:{self._port}"

    def post(self, alerts: Sequence[Mapping[str, str]]) -> None:
        """Let alerts with these labels fire; each has a summary made of its name."""
        body = [
            {"labels": labels, "annotations": {"summary": f"about {labels['alertname']}"}}
            for labels in alerts
        ]
        self._client("POST", "/api/v2/alerts", json=body)

    def alerts(self) -> list[dict[str, Any]]:
        """Return all active alerts as the API has them, with ``labels`` and ``status``."""
        found: list[dict[str, Any]] = self._client("GET", "/api/v2/alerts").json()
        return found

    def _client(self, method: str, path: str, **options: Any) -> httpx.Response:
        url = self.url + path
        answer = fetch.request(method, url, **options)
        return answer.raise_for_status()

    def _choose_ports(self) -> None:
        self._port = ports.free_port()

    def _launch(self) -> process.Process:
        binary = server.find_binary("prometheus-alertmanager", package=PACKAGE)
        return process.Process(
            [
                binary,
                f"--config.file={self._config}",
                f"--storage.path={self.directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{self._port}",
                "--cluster.listen-address=",
            ],
            env={"LC_ALL": "C.UTF-8"},
            cwd=self.directory,
            log=self.log,
        )

    def _answers(self) -> bool:
        # A stranger on our port would be ready, too: ours has logged that it listens.
        with contextlib.suppress(httpx.HTTPError):
            self._client("GET", "/-/ready")
            return "Listening on" in self.process.log_text()
        return False


class Delivery(NamedTuple):
    """A body that was posted: when (epoch seconds), and to which path."""

    at: float
    path: str
    body: dict[str, Any]


class Recorder:
    """An HTTP server that keeps the JSON bodies posted to it, by path; a context manager.

    Every request is answered with what WeCom's API says when all is well, which the others
    ignore.
    """

    def __init__(self) -> None:
        self._deliveries: list[Delivery] = []
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                path = self.path.partition("?")[0]
                recorder._deliveries.append(Delivery(time.time(), path, json.loads(body)))
                self.do_GET()

            def do_GET(self) -> None:
                answer = b'{"errcode": 0, "access_token": "token"}'
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """The base URL, without a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def bodies(self, path: str) -> list[dict[str, Any]]:
        """Return the bodies posted to ``path`` so far."""
        return [one.body for one in self.deliveries() if one.path == path]

    def deliveries(self) -> list[Delivery]:
        """Return all that was posted so far, in order."""
        return list(self._deliveries)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(_SECONDS)
