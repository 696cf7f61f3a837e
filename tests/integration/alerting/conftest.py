"""The example configuration of Alertmanager, with its receivers led to a recorder."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from tests.servers import alertmanager, server

ALERTS = pathlib.Path(__file__).parents[3] / "alerts"
EXAMPLE = ALERTS / "alertmanager.example.yml"
_SECONDS = 60.0

Amtool = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def amtool() -> Amtool:
    """Run amtool and return what it did."""
    binary = server.find_binary("amtool", package=alertmanager.PACKAGE)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [binary, *arguments], capture_output=True, text=True, timeout=_SECONDS, check=False
        )

    return run


@pytest.fixture(scope="session")
def example() -> dict[str, Any]:
    """Load the example as it is shipped."""
    loaded: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())
    return loaded


@pytest.fixture(scope="module")
def recorder() -> Iterator[alertmanager.Recorder]:
    """Record what Alertmanager delivers: webhooks under the names of their receivers."""
    with alertmanager.Recorder() as started:
        yield started


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, recorder: alertmanager.Recorder
) -> Iterator[alertmanager.Alertmanager]:
    """Run Alertmanager with the example: same routes, inhibition, templates; quicker, and tame.

    What can be given another address keeps its kind. Email becomes a webhook.
    """
    directory = tmp_path_factory.mktemp("alertmanager")
    shutil.copytree(ALERTS / "templates", directory / "templates")
    config = yaml.safe_load(EXAMPLE.read_text())
    for route in routes(config["route"]):
        # Not shorter: what inhibits must have been taken in when a group is judged.
        route |= {"group_wait": "3s"}
    slack = directory / "slack-url"
    slack.write_text(f"{recorder.url}/slack")
    key = directory / "key"
    key.write_text("0" * 32)
    config["global"] |= {
        "slack_api_url_file": str(slack),
        "pagerduty_url": f"{recorder.url}/pagerduty",
        "wechat_api_url": f"{recorder.url}/wechat/",
    }
    for receiver in config["receivers"]:
        _tame(receiver, f"{recorder.url}/{receiver['name']}", str(key))
    file = directory / "alertmanager.yml"
    file.write_text(yaml.safe_dump(config))
    with contextlib.ExitStack() as stack:
        yield stack.enter_context(alertmanager.Alertmanager(directory, file))


def routes(route: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a route and all below it."""
    yield route
    for below in route.get("routes", ()):
        yield from routes(below)


def _tame(receiver: dict[str, Any], url: str, key: str) -> None:
    """Lead a receiver to ``url``; secrets come from the file ``key``."""
    for pagerduty in receiver.get("pagerduty_configs", ()):
        pagerduty["routing_key_file"] = key
    emails = receiver.pop("email_configs", [])
    webhooks = [*receiver.get("webhook_configs", ()), *emails]
    if webhooks or not receiver.keys() - {"name"}:
        receiver["webhook_configs"] = [{"url": url, "send_resolved": False}]
