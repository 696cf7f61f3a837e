"""``make stack``: a fleet, a pair of celery-sentinels, Prometheus and Alertmanager, all real."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance import family
from tests.servers import deadline, fetch

if TYPE_CHECKING:
    from collections.abc import Iterator

STACK = Path(__file__).parents[2] / "deploy" / "stack"
# Two evaluations of the slowest group of rules, after counters were shown as 0.
RECORDED_SECONDS = 120.0


class Stack(family.Family):
    """A running stack on ports of its own."""

    def __init__(self, directory: Path, **environment: str) -> None:
        super().__init__(directory, [sys.executable, str(STACK), "--any-port"], environment)

    def url(self, name: str) -> str:
        """Return the base URL of a server, as the stack prints it."""
        found = re.search(rf"^  {name} +(http://[^/]+)/", self.stdout, re.MULTILINE)
        assert found, self.stderr
        return found.group(1)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return what Prometheus knows: label sets under ``metric`` with their ``value``."""
        found: list[dict[str, Any]] = self._prometheus(f"query?query={expression}")["result"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        """Return all rules that Prometheus has loaded."""
        groups = self._prometheus("rules")["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def alerts(self) -> set[str]:
        """Return the names of the alerts that have come to Alertmanager."""
        told = _get(f"{self.url('Alertmanager')}/api/v2/alerts")
        return {alert["labels"]["alertname"] for alert in told}

    def _prometheus(self, path: str) -> Any:
        return _get(f"{self.url('Prometheus')}/api/v1/{path}")["data"]


def _get(url: str) -> Any:
    return fetch.get(url).raise_for_status().json()


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Start a stack that is gone after the test, and wait until all of it is started."""
    started = Stack(tmp_path)
    started.wait_for_prompt()
    yield started
    started.close()


@pytest.mark.timeout(800)
def test_all_play_together(stack: Stack) -> None:
    """Both sentinels are scraped, rules record what they tell, the watchdog barks, all ends."""
    job = '{job="celery-sentinel"}'
    deadline.wait_until(lambda: len(stack.query(f"up{job}==1")) == 2, 120, "both are up")
    deadline.wait_until(lambda: "CeleryWatchdog" in stack.alerts(), 180, "the watchdog barks")

    expected = {
        f"job_hostname:celery_worker_up:max{job}": 2,
        f"job_queue_name:celery_queue_length:max{job}": 4,
        "job_queue_name_severity:celery_queue_objective_length:max"
        '{severity="warning",queue_name="bulk"} == 500': 1,
        f"celery_sentinel_state_snapshot_size_bytes{job} > 0": 2,
    }
    for series, count in expected.items():
        deadline.wait_until(
            lambda asked=series, least=count: len(stack.query(asked)) >= least,
            RECORDED_SECONDS,
            f"{series} has values",
        )
    succeeded = "job_name:celery_task_succeeded:increase5m{name='shop.orders.validate'} > 0"
    deadline.wait_until(lambda: stack.query(succeeded), RECORDED_SECONDS, "successes count")
    assert stack.member(" beat ")
    assert {rule["health"] for rule in stack.rules()} <= {"ok", "unknown"}
    assert {rule["type"] for rule in stack.rules()} == {"recording", "alerting"}

    os.kill(stack.process.pid, signal.SIGINT)
    assert stack.wait_for_the_end() == 0
    assert stack.stderr.endswith("all stopped\n")
    assert "Traceback" not in stack.stderr
    assert list(stack.temporary.iterdir()) == []


@pytest.mark.timeout(400)
def test_a_death_is_told(stack: Stack) -> None:
    """When a server dies the stack says which, shows its last words, and ends with 1."""
    os.kill(stack.member("prometheus-alertmanager"), signal.SIGKILL)

    assert stack.wait_for_the_end() == 1
    assert "the end of the log of alertmanager:\n" in stack.stderr
    told = "stack: error: the stack's alertmanager died (exit code -9), so the stack stopped\n"
    assert stack.stderr.endswith(told)
    assert list(stack.temporary.iterdir()) == []


@pytest.mark.timeout(400)
def test_nothing_outlives_it(stack: Stack) -> None:
    """Killed, it takes all its processes with it."""
    os.kill(stack.process.pid, signal.SIGKILL)
    deadline.wait_until(lambda: not stack.members(), family.STOP_SECONDS, "all are gone")


def test_a_missing_server_is_named(tmp_path: Path) -> None:
    """Where Prometheus is not installed, the package is named before anything starts."""
    path = tmp_path / "bin"
    path.mkdir()
    stack = Stack(tmp_path, PATH=str(path))

    assert stack.wait_for_the_end() == 1
    assert "apt-get install prometheus-alertmanager" in stack.stderr
    assert list(stack.temporary.iterdir()) == []
    stack.close()
