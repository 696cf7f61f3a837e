"""``celery-sentinel run`` as an operator meets it: pages, signals, exit codes, reload."""

from __future__ import annotations

import signal
import socket
import time
from typing import TYPE_CHECKING

import pytest
from prometheus_client.openmetrics import parser

from tests.acceptance import console
from tests.servers import daemon, deadline, fetch

if TYPE_CHECKING:
    from pathlib import Path

    from tests import conftest
    from tests.servers import promtool, redis, server


def test_a_port_in_use_ends_with_3(redis_server: redis.RedisServer) -> None:
    """Where somebody else listens the daemon ends with 3 and names the address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = console.call(
            "run",
            "--broker-url",
            redis_server.url,
            "--web.listen-address",
            f"127.0.0.1:{port}",
        )

    assert done.returncode == 3
    assert f"127.0.0.1:{port}" in done.stderr


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqs://", "needs a library"),
        ("redis://localhost/shop", "database number"),
        ("sentinel://localhost:26379", "master_name"),
    ],
)
def test_a_broker_that_can_never_work_ends_with_2(url: str, words: str) -> None:
    """A URL no waiting can mend is refused at once, with what to do."""
    done = console.call("run", "--broker-url", url, "--web.listen-address", "127.0.0.1:0")

    assert done.returncode == 2
    assert words in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_within_five_seconds(
    number: signal.Signals, broker: server.Broker, start_daemon: conftest.StartDaemon
) -> None:
    """SIGTERM and SIGINT end it with 0 in under 5 s, connected or not."""
    sentinel = start_daemon(broker.url)
    lonely = start_daemon("redis://127.0.0.1:1/0")

    asked_at = time.monotonic()
    for one in (sentinel, lonely):
        one.process.send(number)

    assert [one.wait(10) for one in (sentinel, lonely)] == [0, 0]
    assert time.monotonic() - asked_at < 5


def test_a_live_scrape_is_clean_in_every_format(
    redis_server: redis.RedisServer,
    start_daemon: conftest.StartDaemon,
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
    prom_tool: promtool.PromTool,
) -> None:
    """Promtool finds nothing, OpenMetrics parses, gzip unpacks to the same families."""
    sentinel = start_daemon(redis_server.url)
    start_worker(redis_server.url)
    sending = make_producer(redis_server.url)
    for kind in ("value", "key"):
        sending.send("failing", kind)
    sending.send("quick")
    sending.send("retrying", 1)
    name = "celery_sentinel_events_total"
    deadline.wait_until(
        lambda: daemon.total(sentinel.scrape(), name, type="task-succeeded") == 2, 20, "all done"
    )

    text = sentinel.get("/metrics", headers={"Accept": "text/plain", "Accept-Encoding": "gzip"})
    assert text.headers["Content-Encoding"] == "gzip"
    assert prom_tool.complaints(text.content) == []

    accept = {"Accept": "application/openmetrics-text;version=1.0.0"}
    opened = sentinel.get("/metrics", headers=accept)
    families = parser.text_string_to_metric_families(opened.text)
    assert {"celery_task_failed", "celery_worker_up"} <= {family.name for family in families}
    assert opened.headers["Content-Type"].startswith("application/openmetrics-text")


def test_the_de_facto_names_are_there_for_who_wants_them(
    redis_server: redis.RedisServer,
    start_daemon: conftest.StartDaemon,
    start_worker: conftest.StartWorker,
    prom_tool: promtool.PromTool,
) -> None:
    """With metrics.compat the old names appear, and promtool minds just the suffix of three."""
    config = "metrics: {compat: true}\npolling: {workers: 2s}\n"
    sentinel = start_daemon(redis_server.url, config=config)
    start_worker(redis_server.url)
    old = ("celery_active_consumer_count", "celery_active_worker_count")
    deadline.wait_until(
        lambda: all(daemon.total(sentinel.scrape(), name) == 1 for name in old), 20, "both are 1"
    )

    complaints = prom_tool.complaints(sentinel.get("/metrics").content)
    assert {line.split()[0] for line in complaints} == {*old, "celery_active_process_count"}


def test_a_first_failure_is_born_at_zero(
    redis_server: redis.RedisServer,
    start_daemon: conftest.StartDaemon,
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """The first scrape after a first failure shows 0, a later one 1, so increase() sees it."""
    sentinel = start_daemon(redis_server.url, config="metrics: {zero_born_hold: 2s}\n")
    start_worker(redis_server.url)
    make_producer(redis_server.url).send("failing", "key")
    deadline.wait_until(lambda: _failed(sentinel) is not None, 20, "the series appears")
    assert _failed(sentinel) == 0
    deadline.wait_until(lambda: _failed(sentinel) == 1, 10, "the failure shows")


def test_sighup_takes_over_a_valid_file_only(
    redis_server: redis.RedisServer, start_daemon: conftest.StartDaemon
) -> None:
    """A broken file is refused and told, and the old settings stay; a mended one counts."""
    sentinel = start_daemon(redis_server.url, config="queues: {watch: [one]}\n")
    file = _config_file(sentinel)
    assert _queues(sentinel) == {"one"}

    file.write_text("queues: {wach: [two]}\n")
    sentinel.process.send(signal.SIGHUP)
    name = "celery_sentinel_config_last_reload_successful"
    deadline.wait_until(
        lambda: daemon.total(sentinel.scrape(), name) == 0, 10, "the reload has failed"
    )
    assert _queues(sentinel) == {"one"}
    assert "did you mean watch?" in sentinel.stderr_text

    file.write_text("queues: {watch: [two]}\nweb: {telemetry_path: /elsewhere}\n")
    sentinel.process.send(signal.SIGHUP)
    deadline.wait_until(lambda: _queues(sentinel) == {"two"}, 10, "the reload counts")
    assert daemon.total(sentinel.scrape(), name) == 1
    assert "reload_incomplete" in sentinel.stderr_text


def test_objectives_are_reloaded(
    redis_server: redis.RedisServer, start_daemon: conftest.StartDaemon
) -> None:
    """SIGHUP takes over other objectives, and the log names what is doubtful in them."""
    name = "celery_task_objective_silence_seconds"
    rule = "objectives: {{tasks: [{{match: {}, silence_seconds: {}}}]}}\n"
    sentinel = start_daemon(redis_server.url, config=rule.format("nightly", "25h"))
    assert daemon.total(sentinel.scrape(), name, name="nightly", severity="warning") == 90000
    visibility = "celery_broker_visibility_timeout_seconds"
    assert daemon.total(sentinel.scrape(), visibility) == 3600
    assert "config_doubtful" not in sentinel.stderr_text

    _config_file(sentinel).write_text(rule.format("hourly", "40000000"))
    sentinel.process.send(signal.SIGHUP)
    deadline.wait_until(
        lambda: daemon.total(sentinel.scrape(), name, name="hourly") == 4e7, 10, "it counts"
    )
    assert "config_doubtful" in sentinel.stderr_text
    assert "reload_incomplete" not in sentinel.stderr_text


def test_reload_over_http_must_be_enabled(
    redis_server: redis.RedisServer, start_daemon: conftest.StartDaemon
) -> None:
    """POST /-/reload is 404 unless --web.enable-lifecycle is given."""
    plain = start_daemon(redis_server.url)
    enabled = start_daemon(redis_server.url, args=["--web.enable-lifecycle"])

    assert fetch.post(f"{plain.url}/-/reload").status_code == 404
    assert fetch.post(f"{enabled.url}/-/reload").status_code == 200


def test_the_result_backend_is_watched(
    redis_server: redis.RedisServer, start_daemon: conftest.StartDaemon
) -> None:
    """Where one is configured, metrics, page and JSON say whether it is there."""
    config = f"result_backend: {{url: '{redis_server.url_for(1)}'}}\n"
    sentinel = start_daemon(redis_server.url, config=config)

    name = "celery_result_backend_up"
    deadline.wait_until(
        lambda: daemon.total(sentinel.scrape(), name, transport="redis") == 1, 20, "it is up"
    )
    assert "Result backend" in sentinel.get("/").text
    assert sentinel.get("/api/v1/status").json()["result_backend"]["up"] is True


def test_the_page_says_what_is_going_on(
    redis_server: redis.RedisServer,
    start_daemon: conftest.StartDaemon,
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Workers, tasks and failures are on the landing page and in the JSON alike."""
    sentinel = start_daemon(redis_server.url)
    start_worker(redis_server.url)
    make_producer(redis_server.url).send("failing", "key")
    deadline.wait_until(lambda: "KeyError" in sentinel.get("/").text, 20, "the failure is shown")

    page, facts = sentinel.get("/").text, sentinel.get("/api/v1/status").json()
    assert "w1@fleet" in page
    assert [worker["hostname"] for worker in facts["workers"]] == ["w1@fleet"]
    assert facts["failing"][0]["name"] == "failing"
    assert facts["failing"][0]["top_exception"] == "KeyError"
    assert facts["broker"]["up"] is True


def _failed(sentinel: daemon.Daemon) -> float | None:
    return daemon.total(sentinel.scrape(), "celery_task_failed_total")


def _queues(sentinel: daemon.Daemon) -> set[str]:
    return {
        dict(labels)["queue_name"]
        for name, labels in sentinel.scrape()
        if name == "celery_queue_info"
    }


def _config_file(sentinel: daemon.Daemon) -> Path:
    return sentinel.directory / "config.yml"
