"""Each alert goes to whom the example names: every route, told by amtool."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.integration.alerting import conftest
from tests.servers import server

if TYPE_CHECKING:
    import pathlib

# Labels, and the receivers that get the alert, in order.
TABLE = {
    "alertname=CeleryWatchdog severity=none": "deadman",
    "alertname=CeleryQueueTooOld severity=critical": "automation,page",
    "alertname=CeleryQueueTooOld severity=critical team=billing": "automation,page-billing",
    "alertname=CeleryQueueTooOld severity=critical team=logistics": "automation,page-logistics",
    "alertname=CeleryQueueTooOld severity=critical team=unheard": "automation,page",
    "alertname=CeleryTaskStuck severity=warning": "automation,tickets",
    "alertname=CeleryTaskStuck severity=warning team=billing": "automation,chat-billing",
    "alertname=CeleryTaskStuck severity=warning team=logistics": "automation,chat-logistics",
    "alertname=CelerySentinelDown severity=warning": "automation,chat-platform",
    "alertname=CeleryWorkerLost severity=warning": "automation,chat-platform",
    "alertname=CeleryWorkersSaturated severity=warning": "automation,chat-platform",
    "alertname=CelerySentinelAbsent severity=critical": "automation,page",
    "alertname=CeleryTaskStuck severity=unheard": "automation",
    "alertname=Foreign severity=warning": "tickets",
    "alertname=Foreign": "tickets",
}


@pytest.mark.parametrize("labels", TABLE)
def test_an_alert_goes_where_the_table_says(amtool: conftest.Amtool, labels: str) -> None:
    """A page wakes one team, a ticket waits, the watchdog goes to nobody but the dead-man's switch.

    An alert that only automation takes has a severity that nobody set: it is seen there.
    """
    done = amtool("config", "routes", "test", f"--config.file={conftest.EXAMPLE}", *labels.split())
    assert (done.returncode, done.stdout.strip()) == (0, TABLE[labels])


def test_every_route_is_in_the_table(example: dict[str, Any]) -> None:
    """No receiver is left out, and none is unreachable."""
    reached = {name for names in TABLE.values() for name in names.split(",")}
    assert {route["receiver"] for route in conftest.routes(example["route"])} == reached
    assert {receiver["name"] for receiver in example["receivers"]} == reached


def test_the_example_is_valid(amtool: conftest.Amtool) -> None:
    """Amtool finds nothing wrong, and the templates."""
    done = amtool("check-config", str(conftest.EXAMPLE))
    assert (done.returncode, "1 templates" in done.stdout) == (0, True), done.stderr


def test_every_kind_of_receiver_is_shown(example: dict[str, Any]) -> None:
    """Email, Slack, PagerDuty, WeCom and webhooks."""
    kinds = {key for receiver in example["receivers"] for key in receiver if key != "name"}
    assert kinds == {
        "email_configs",
        "slack_configs",
        "pagerduty_configs",
        "wechat_configs",
        "webhook_configs",
    }


def test_secrets_come_from_files(example: dict[str, Any]) -> None:
    """Of what Alertmanager 0.25 can read from a file nothing stands in the example."""
    text = yaml.safe_dump(example)
    for key in ("smtp_auth_password", "slack_api_url", "routing_key", "service_key", "credentials"):
        assert f"{key}:" not in text


def test_the_prometheus_example_is_valid() -> None:
    """Promtool resolves every path in it, and accepts the rules."""
    binary = server.find_binary("promtool", package="prometheus")
    done = subprocess.run(
        [binary, "check", "config", str(conftest.ALERTS / "prometheus.example.yml")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_prometheus_example_loads_every_rule_file() -> None:
    """No file of the pack is forgotten, and the recording rules come first."""
    example = yaml.safe_load((conftest.ALERTS / "prometheus.example.yml").read_text())
    shipped = {file.name for file in conftest.ALERTS.glob("*.rules.yml")}
    assert set(example["rule_files"]) == shipped
    assert example["rule_files"][0] == "recording.rules.yml"


def test_a_long_group_is_cut(amtool: conftest.Amtool, tmp_path: pathlib.Path) -> None:
    """The text for chat shows ten alerts and where the others are, even without notes."""
    alert = {"status": "firing", "labels": {}, "annotations": {"summary": "it hangs"}}
    data = tmp_path / "data.json"
    data.write_text(
        json.dumps(
            {
                "status": "firing",
                "externalURL": "https://alertmanager.example.org",
                "alerts": [*[alert] * 11, {"status": "resolved", "labels": {}, "annotations": {}}],
                "commonLabels": {"alertname": "CeleryTaskStuck"},
                "commonAnnotations": {},
            }
        )
    )
    done = amtool(
        "template",
        "render",
        f"--template.glob={conftest.ALERTS / 'templates' / '*.tmpl'}",
        f"--template.data={data}",
        '--template.text={{ template "celery.title" . }}\n{{ template "celery.text" . }}',
    )
    title, *lines = done.stdout.strip().splitlines()
    assert title == "[FIRING:11] CeleryTaskStuck", done.stderr
    assert lines.count("it hangs") == 10
    assert lines[-1] == "and more: https://alertmanager.example.org"
