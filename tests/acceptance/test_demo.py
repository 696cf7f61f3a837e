"""``celery-sentinel demo`` shows a fleet to anybody, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.acceptance import family
from tests.servers import daemon, deadline, fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

METRICS_SECONDS = 150.0  # counters are born as zero and stay so for 15 s
COUNTERS = ("sent", "received", "started", "succeeded", "failed", "retried", "revoked")
BROKERS = ("redis-server", "embedded")

pytestmark = pytest.mark.timeout(500)


class Demo(family.Family):
    """A running demo."""

    def __init__(
        self, directory: Path, *args: str, listen: str = "127.0.0.1:0", **environment: str
    ) -> None:
        script = Path(sys.executable).with_name("celery-sentinel")
        where = ["--web.listen-address", listen]
        super().__init__(directory, [str(script), "demo", *where, *args], environment)

    def wait_for_banner(self) -> str:
        """Wait until all is started; return the URL to open."""
        self.wait_for_prompt()
        found = re.search(r"^  (http\S+)/ ", self.stdout, re.MULTILINE)
        assert found, self.stderr
        return found.group(1)


@pytest.fixture
def start_demo(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    """Start a demo that is gone after the test."""
    started: list[Demo] = []

    def start(*args: str, **environment: str) -> Demo:
        started.append(Demo(tmp_path, *args, **environment))
        return started[-1]

    yield start
    for demo in started:
        demo.close()


def page(url: str) -> str:
    """Return the text of a page that must be there."""
    return fetch.get(url).raise_for_status().text


def workers_up(samples: daemon.Samples) -> set[str]:
    """Return the names before the ``@`` of all workers that are up."""
    return {
        dict(labels)["hostname"].partition("@")[0]
        for (name, labels), value in samples.items()
        if name == "celery_worker_up" and value == 1
    }


@pytest.mark.parametrize("broker", BROKERS)
def test_a_person_sees_a_fleet(start_demo: Callable[..., Demo], broker: str) -> None:
    """All that tasks can do is counted, two workers are up, and Ctrl-C ends all of it."""
    nowhere = "redis://127.0.0.1:1/0"  # what is configured for others is not for the demo
    demo = start_demo(
        CELERY_SENTINEL_DEMO_BROKER=broker,
        CELERY_SENTINEL_BROKER_URL=nowhere,
        CELERY_BROKER_URL=nowhere,
    )
    url = demo.wait_for_banner()

    assert demo.stdout.startswith("broker: ")
    assert broker in demo.stdout.splitlines()[0]
    for path in ("/", "/metrics", "/api/v1/status"):
        assert f"\n  {url}{path} " in demo.stdout
        assert page(url + path)

    def missing() -> list[str]:
        samples = daemon.parse(page(f"{url}/metrics"))
        counters = [f"celery_task_{what}_total" for what in COUNTERS]
        absent = [name for name in counters if not daemon.total(samples, name)]
        return absent + sorted({"orders", "reports"} - workers_up(samples))

    deadline.wait_until(lambda: not missing(), METRICS_SECONDS, f"the metrics show {COUNTERS}")

    os.kill(demo.process.pid, signal.SIGINT)
    assert demo.wait_for_the_end() == 0
    assert demo.stderr.endswith("all stopped\n")
    assert "Traceback" not in demo.stderr
    assert list(demo.temporary.iterdir()) == []


def test_it_ends_by_itself(start_demo: Callable[..., Demo]) -> None:
    """With a duration nobody has to stop it."""
    demo = start_demo("--duration", "1")
    demo.wait_for_banner()

    assert demo.wait_for_the_end() == 0
    assert list(demo.temporary.iterdir()) == []


def test_it_can_be_stopped_before_it_is_up(start_demo: Callable[..., Demo]) -> None:
    """SIGTERM while the first parts start ends these too."""
    demo = start_demo()
    deadline.wait_until(lambda: len(demo.members()) > 1, family.START_SECONDS, "a part is started")

    os.kill(demo.process.pid, signal.SIGTERM)

    assert demo.wait_for_the_end() == 0
    assert list(demo.temporary.iterdir()) == []


@pytest.mark.parametrize("broker", BROKERS)
def test_nothing_outlives_it(start_demo: Callable[..., Demo], broker: str) -> None:
    """Even when the demo is killed, all that it started ends, pool processes included."""
    demo = start_demo(CELERY_SENTINEL_DEMO_BROKER=broker)
    demo.wait_for_banner()

    def steady() -> int:
        commands = demo.members().values()
        return sum("orders@" in command or "reports@" in command for command in commands)

    # Both are there to stay; a third worker comes and goes.
    deadline.wait_until(
        lambda: steady() == 7,
        family.START_SECONDS,
        "two workers with their five pool processes run",
    )

    os.kill(demo.process.pid, signal.SIGKILL)

    deadline.wait_until(lambda: not demo.members(), family.STOP_SECONDS, "all are gone")


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("broker", "redis-server"),
        ("daemon", "celery_sentinel run"),
        ("reports", "reports@"),
        ("load", "demo.load"),
    ],
)
def test_a_death_ends_it(start_demo: Callable[..., Demo], name: str, command: str) -> None:
    """When a part dies, the demo stops, says which part, and exits with 1."""
    demo = start_demo(CELERY_SENTINEL_DEMO_BROKER="redis-server")
    demo.wait_for_banner()

    os.kill(demo.member(command), signal.SIGKILL)

    assert demo.wait_for_the_end() == 1
    assert list(demo.temporary.iterdir()) == []
    assert f"the end of the log of {name}:\n  " in demo.stderr
    assert demo.stderr.endswith(f"the demo's {name} died (exit code -9), so the demo stopped\n")


def test_a_port_in_use_is_told(start_demo: Callable[..., Demo]) -> None:
    """An address that was asked for and is taken ends the demo as it ends the daemon."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        busy = f"127.0.0.1:{server.getsockname()[1]}"
        demo = start_demo(listen=busy)

        assert demo.wait_for_the_end() == 3
        assert busy in demo.stderr


def test_an_unknown_broker_is_told(start_demo: Callable[..., Demo]) -> None:
    """The broker may be chosen, but only among those there are."""
    demo = start_demo(CELERY_SENTINEL_DEMO_BROKER="rabbit")

    assert demo.wait_for_the_end() == 2
    assert "use redis-server or embedded, or leave it unset" in demo.stderr
