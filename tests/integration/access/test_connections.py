"""How many connections, channels and queues the daemon takes: docs/broker-access.md says it."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from celery_sentinel.config import schema
from celery_sentinel.remote_control import amqp as control_amqp
from tests.servers import daemon, deadline

if TYPE_CHECKING:
    from tests import conftest
    from tests.servers import rabbitmq, redis

PAGE = Path(__file__).parents[3] / "docs" / "broker-access.md"
SECONDS = 60.0
WATCHED = 10.0  # seconds: several polls of each kind
POLLS = {"queues": "1s", "workers": "2s"}
ESTABLISHED = "01"


def documented(broker: str) -> dict[str, tuple[int, int]]:
    """Return what the page says of a broker: (always, at most) of each kind of thing."""
    section = PAGE.read_text().partition("## What it takes at the broker")[2].partition("\n## ")[0]
    rows = re.findall(rf"^\| {broker} \| (\w+) \| (\d+) \| (\d+) \|", section, re.MULTILINE)
    return {what: (int(always), int(most)) for what, always, most in rows}


def connections(pid: int, port: int) -> int:
    """Return how many connections to a port a process has."""
    inodes = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        try:
            inodes.add(str(file.readlink()))
        except OSError:
            continue  # closed meanwhile
    lines = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return sum(
        f"socket:[{line[9]}]" in inodes
        and int(line[2].partition(":")[2], 16) == port
        and line[3] == ESTABLISHED
        for line in lines
    )


def watched(sentinel: daemon.Daemon, port: int) -> tuple[int, int]:
    """Return the usual and the highest number of connections over some polls."""
    found: list[int] = []
    until = time.monotonic() + WATCHED
    while time.monotonic() < until:
        found.append(connections(sentinel.pid, port))
        time.sleep(0.01)
    return sorted(found)[len(found) // 2], max(found)


def start(
    url: str,
    results: str,
    start_daemon: conftest.StartDaemon,
    start_worker: conftest.StartWorker,
) -> daemon.Daemon:
    """Start a daemon before two workers, and wait until it knows them; one freezes then."""
    config = yaml.safe_dump({"polling": POLLS, "result_backend": {"url": results}})
    sentinel = start_daemon(url, config=config)
    for name in ("lively", "frozen"):
        one = start_worker(url, name=name)
    deadline.wait_until(
        lambda: daemon.total(sentinel.scrape(), "celery_worker_responding") == 2,
        SECONDS,
        "both have answered",
    )
    one.pause()
    return sentinel


def test_redis(
    redis_server: redis.RedisServer,
    start_daemon: conftest.StartDaemon,
    start_worker: conftest.StartWorker,
) -> None:
    """All by their name, in CLIENT LIST, too."""
    sentinel = start(redis_server.url, redis_server.url, start_daemon, start_worker)
    always, most = documented("Redis")["connections"]
    usual, highest = watched(sentinel, redis_server.port)
    assert usual == always
    assert highest <= most
    with redis_server.client() as client:
        named = [one for one in client.client_list() if one["name"] == "celery-sentinel"]
    assert always <= len(named) <= most


@pytest.mark.xdist_group("rabbitmq-connections")
def test_rabbitmq(
    rabbitmq_server: rabbitmq.RabbitServer,
    start_daemon: conftest.StartDaemon,
    start_worker: conftest.StartWorker,
) -> None:
    """Connections by /proc; channels and queues as the node counts them."""
    sentinel = start(rabbitmq_server.url, "rpc://", start_daemon, start_worker)
    page = documented("RabbitMQ")
    usual, highest = watched(sentinel, rabbitmq_server.port)
    assert usual == page["connections"][0]
    assert highest <= page["connections"][1]
    found = channels(rabbitmq_server)
    assert page["connections"][0] <= len(found) <= page["connections"][1]
    assert page["channels"][0] <= sum(found) <= page["channels"][1]
    where = ("--vhost", rabbitmq_server.vhost)
    queues = rabbitmq_server.ctl("list_queues", *where, "name", "--quiet").split()
    made = [name for name in queues if name.startswith("celeryev.sentinel")]
    made += [name for name in queues if name.endswith(".reply.celery.pidbox")]
    assert len(made) == page["queues"][0]


def test_questions_leave_no_channel_behind(rabbitmq_server: rabbitmq.RabbitServer) -> None:
    """Where no worker has ever been, each poll is told so, maybe for weeks."""
    config = schema.Config(broker=schema.Broker(url=rabbitmq_server.url))
    line = control_amqp.AmqpLine(config)
    line.open()
    for _ in range(50):
        assert not line.prepare()
    assert channels(rabbitmq_server) == [1]
    line.close()


def channels(node: rabbitmq.RabbitServer) -> list[int]:
    """Return how many channels each connection of ours has, by how it introduced itself."""
    columns = ("vhost", "channels", "client_properties")
    told = json.loads(node.ctl("list_connections", *columns, "--formatter", "json"))
    return [
        one["channels"]
        for one in told
        if one["vhost"] == node.vhost and "celery-sentinel" in json.dumps(one["client_properties"])
    ]
