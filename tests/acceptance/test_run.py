"""``celery-sentinel run`` as an operator meets it: pages, signals, exit codes, reload."""

from __future__ import annotations

import signal
import socket
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
def test_it_stops_when_asked(
    number: signal.Signals, broker: server.Broker, start_daemon: conftest.StartDaemon
) -> None:
    """SIGTERM and SIGINT end it with 0, connected or not, before Kubernetes would kill it."""
    both = start_daemon(broker.url), start_daemon("redis://127.0.0.1:1/0")
    with deadline.Running() as running:
        for one in both:
            one.process.send(number)
        assert [one.wait(120) for one in both] == [0, 0]
    assert running.seconds < 30


def test_a_live_scrape_is_clean_in_every_format(
    redis_server: redis.RedisServer,
    start_daemon: conftest.StartDaemon,
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
    prom_tool: promtool.PromTool,
) -> None:
    """Promtool finds nothing, OpenMetrics parses, gzip unpacks to the same families."""
    sentinel = start_daemon(redis_server.url)
    _wait_ready(sentinel)
    start_worker(redis_server.url)
    sending = make_producer(redis_server.url)
    for kind in ("value", "key"):
        sending.send("failing", kind)
    sending.send("quick")
    sending.send("retrying", 1)
    name = "celery_sentinel_events_total"
    for kind in ("task-succeeded", "task-failed"):
        deadline.wait_until(
            lambda of=kind: daemon.total(sentinel.scrape(), name, type=of) == 2, 60, "all done"
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
    old = ("active_consumer_count", "active_worker_count", "active_process_count")
    counts = {f"celery_{name}": count for name, count in zip(old, (1, 1, 2), strict=True)}

    def found() -> dict[str, float | None]:
        samples = sentinel.scrape()
        return {name: daemon.total(samples, name) for name in counts}

    deadline.wait_until(lambda: found() == counts, 60, f"they are {counts}")
    complaints = prom_tool.complaints(sentinel.get("/metrics").content)
    assert {line.split()[0] for line in complaints} == counts.keys()


def test_a_first_failure_is_born_at_zero(
    redis_server: redis.RedisServer,
    start_daemon: conftest.StartDaemon,
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """The first scrape after a first failure shows 0, a later one 1, so increase() sees it.

    A person who looked before sees the 1, and that begins no hold.
    """
    sentinel = start_daemon(redis_server.url, config="metrics: {zero_born_hold: 2s}\n")
    _wait_ready(sentinel)
    start_worker(redis_server.url)
    make_producer(redis_server.url).send("failing", "key")

    def seen() -> float | None:
        answer = sentinel.get("/metrics", headers={"Accept": "*/*"})
        return daemon.total(daemon.parse(answer.text), "celery_task_failed_total")

    deadline.wait_until(lambda: seen() == 1, 60, "a person sees the failure")
    shown: list[float] = []

    def full() -> bool:
        failed = daemon.total(sentinel.scrape(), "celery_task_failed_total")
        shown.extend([] if failed is None else [failed])
        return failed == 1

    deadline.wait_until(full, 60, "the failure shows")
    assert shown[0] == 0


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
        lambda: daemon.total(sentinel.scrape(), name) == 0, 60, "the reload has failed"
    )
    assert _queues(sentinel) == {"one"}
    _wait_logged(sentinel, "did you mean watch?")

    file.write_text("queues: {watch: [two]}\nweb: {telemetry_path: /elsewhere}\n")
    sentinel.process.send(signal.SIGHUP)
    deadline.wait_until(lambda: _queues(sentinel) == {"two"}, 60, "the reload counts")
    deadline.wait_until(lambda: daemon.total(sentinel.scrape(), name) == 1, 60, "it is told")
    _wait_logged(sentinel, "reload_incomplete")


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
        lambda: daemon.total(sentinel.scrape(), name, name="hourly") == 4e7, 60, "it counts"
    )
    _wait_logged(sentinel, "config_doubtful")
    _wait_logged(sentinel, "reloaded")
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
        lambda: daemon.total(sentinel.scrape(), name, transport="redis") == 1, 60, "it is up"
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
    _wait_ready(sentinel)
    start_worker(redis_server.url)
    make_producer(redis_server.url).send("failing", "key")
    deadline.wait_until(lambda: "KeyError" in sentinel.get("/").text, 60, "the failure is shown")

    page, facts = sentinel.get("/").text, sentinel.get("/api/v1/status").json()
    assert "w1@fleet" in page
    assert [worker["hostname"] for worker in facts["workers"]] == ["w1@fleet"]
    assert facts["failing"][0]["name"] == "failing"
    assert facts["failing"][0]["top_exception"] == "KeyError"
    assert facts["broker"]["up"] is True


def _wait_ready(sentinel: daemon.Daemon) -> None:
    """Wait until it is subscribed: events of before would be lost."""
    deadline.wait_until(lambda: sentinel.get("/-/ready").status_code == 200, 60, "it is ready")


def _wait_logged(sentinel: daemon.Daemon, words: str) -> None:
    """Wait for a line of the log, which is written after metrics show what it tells."""
    deadline.wait_until(lambda: words in sentinel.stderr_text, 60, f"{words} is logged")


def _queues(sentinel: daemon.Daemon) -> set[str]:
    return {
        dict(labels)["queue_name"]
        for name, labels in sentinel.scrape()
        if name == "celery_queue_info"
    }


def _config_file(sentinel: daemon.Daemon) -> Path:
    return sentinel.directory / "config.yml"
