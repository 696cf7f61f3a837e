"""The installed console script: its commands, their options and where settings come from."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import yaml

import celery_sentinel
from celery_sentinel.config import loading, schema
from celery_sentinel.metrics import catalogue
from tests.acceptance import console

if TYPE_CHECKING:
    import pathlib


def checked(*arguments: str, **variables: str) -> Any:
    """Return the settings that check-config prints."""
    done = console.call("check-config", *arguments, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    return yaml.safe_load(done.stdout)


def test_alone_it_prints_help() -> None:
    """Without a command there is help, which names all of them."""
    done = console.call()
    assert done.returncode == 0
    for command in ("check-config", "demo", "healthcheck", "metrics", "run"):
        assert f"\n  {command} " in done.stdout


def test_version() -> None:
    """--version names the program and its version."""
    done = console.call("--version")
    expected = f"celery-sentinel, version {celery_sentinel.__version__}\n"
    assert (done.returncode, done.stdout) == (0, expected)


def test_version_loads_little() -> None:
    """--version and --help are quick because they import no broker, web or log library."""
    code = (
        "import sys; from celery_sentinel import cli; "
        "print([name for name in ('celery', 'redis', 'starlette', 'uvicorn', 'structlog') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_option_names_its_variable() -> None:
    """The help of run names every flag with its environment variable."""
    text = " ".join(console.call("run", "--help").stdout.split())
    for flag in (
        *("--broker-url", "--broker-url-file", "--config.file", "--web.listen-address"),
        *("--web.telemetry-path", "--web.enable-lifecycle", "--log.level", "--log.format"),
    ):
        variable = flag.removeprefix("--").replace(".", "_").replace("-", "_").upper()
        assert f" {flag} " in text
        assert f"env var: CELERY_SENTINEL_{variable}]" in text


def test_printed_defaults_load_as_defaults(tmp_path: pathlib.Path) -> None:
    """What check-config prints is a config file that means the same."""
    done = console.call("check-config")
    file = tmp_path / "printed.yml"
    file.write_text(done.stdout)
    assert loading.load(str(file), overrides={}) == schema.Config()


def test_flag_goes_before_variable_before_file(tmp_path: pathlib.Path) -> None:
    """Each setting comes from the first of flag, environment, file and default."""
    file = tmp_path / "sentinel.yml"
    file.write_text(
        "broker: {url: redis://file}\n"
        "web: {telemetry_path: /file, enable_lifecycle: false}\n"
        "log: {level: error}\n"
    )
    settings = checked(
        *("--broker-url", "redis://flag"),
        CELERY_SENTINEL_CONFIG_FILE=str(file),
        CELERY_SENTINEL_BROKER_URL="redis://variable",
        CELERY_SENTINEL_WEB_TELEMETRY_PATH="/variable",
        CELERY_SENTINEL_WEB_ENABLE_LIFECYCLE="true",
        CELERY_SENTINEL_WEB_LISTEN_ADDRESS=":1 [::1]:2",
    )
    assert settings["broker"]["url"] == "redis://flag"
    assert settings["web"] == {
        "listen_address": [":1", "[::1]:2"],
        "telemetry_path": "/variable",
        "enable_lifecycle": True,
        "config_file": None,
    }
    assert settings["log"] == {"level": "error", "format": "auto"}


def test_all_flags_reach_their_settings() -> None:
    """Every flag of run sets what its name says."""
    settings = checked(
        *("--broker-url", "memory://", "--web.listen-address", ":0"),
        *("--web.listen-address", "127.0.0.1:0", "--web.telemetry-path", "/m"),
        *("--web.enable-lifecycle", "--log.level", "debug", "--log.format", "json"),
    )
    assert settings["broker"]["url"] == "memory://"
    assert settings["web"] == {
        "listen_address": [":0", "127.0.0.1:0"],
        "telemetry_path": "/m",
        "enable_lifecycle": True,
        "config_file": None,
    }
    assert settings["log"] == {"level": "debug", "format": "json"}


def test_an_empty_variable_is_none() -> None:
    """A variable that is set to nothing, as templates do, changes nothing."""
    settings = checked(CELERY_SENTINEL_LOG_LEVEL="", CELERY_SENTINEL_BROKER_URL="")
    assert settings["log"]["level"] == "info"


def test_the_broker_url_comes_from_a_file(tmp_path: pathlib.Path) -> None:
    """A file named by a flag goes before a variable, a credential before the config file."""
    url, config = tmp_path / "broker-url", tmp_path / "sentinel.yml"
    url.write_text("redis://secret-file\n")
    config.write_text("broker: {url: redis://config}\n")
    from_flag = checked(
        "--broker-url-file", str(url), CELERY_SENTINEL_BROKER_URL="redis://variable"
    )
    from_credential = checked(str(config), CREDENTIALS_DIRECTORY=str(tmp_path))
    from_variable = checked(
        CELERY_SENTINEL_BROKER_URL="redis://variable", CREDENTIALS_DIRECTORY=str(tmp_path)
    )
    assert [each["broker"]["url"] for each in (from_flag, from_credential, from_variable)] == [
        "redis://secret-file",
        "redis://secret-file",
        "redis://variable",
    ]


def test_check_config_shows_no_secret(tmp_path: pathlib.Path) -> None:
    """Passwords in URLs and under keys that look secret are printed as stars."""
    file = tmp_path / "sentinel.yml"
    file.write_text(
        "broker:\n"
        "  url: sentinel://:hunter2@one;sentinel://:hunter2@two\n"
        "  transport_options: {master_name: m, sentinel_kwargs: {password: hunter3}}\n"
    )
    done = console.call("check-config", "--config.file", str(file))
    assert yaml.safe_load(done.stdout)["broker"] == {
        "url": "sentinel://:***@one;sentinel://:***@two",
        "transport_options": {"master_name": "m", "sentinel_kwargs": {"password": "***"}},
        "tls": None,
        "management_url": None,
        "durable_events": False,
        "control_exchange": "celery",
        "login_method": None,
        "management_tls": None,
    }
    assert "hunter" not in done.stdout + done.stderr


OBJECTIVES = """\
queues: {dead_letter: ["*.dead"]}
objectives:
  tasks:
    - {match: "billing.*", failure_ratio: 0.01, severity: critical}
    - match: reports.nightly
      silence_seconds: 25h
      retry_ratio: off
  queues:
    - {match: "*", length: {warning: 7, critical: 9}}
"""


def test_check_config_prints_what_applies_to_a_name(tmp_path: pathlib.Path) -> None:
    """Each objective of a task or queue comes with the line that says it."""
    file = tmp_path / "sentinel.yml"
    file.write_text(OBJECTIVES)
    tasks = ["--task", "reports.nightly", "--task", "billing.a"]
    done = console.call("check-config", str(file), *tasks, "--queue", "q", "--queue", "q.dead")
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        done.stdout
        == f"""\
task reports.nightly
  failure_ratio    0.05 warning, 0.1 critical  default
  retry_ratio      off                         {file}:7 (match 'reports.nightly')
  runtime_seconds  5m warning                  default
  stuck_seconds    1h warning                  default
  silence_seconds  25h warning                 {file}:6 (match 'reports.nightly')
  minimum_runs     20                          default
  failure_budget   0.01                        default
task billing.a
  failure_ratio    0.01 critical  {file}:4 (match 'billing.*')
  retry_ratio      0.5 warning    default
  runtime_seconds  5m warning     default
  stuck_seconds    1h warning     default
  minimum_runs     20             default
  failure_budget   0.01           default
queue q
  length       7 warning, 9 critical     {file}:9 (match '*')
  age_seconds  5m warning, 30m critical  default
queue q.dead (dead letters: only rules with its name apply)
  nothing
"""
    )


def test_check_config_warns_of_what_is_hardly_meant(tmp_path: pathlib.Path) -> None:
    """A warning is a line on stderr; the configuration counts, and is printed as it is written."""
    file = tmp_path / "sentinel.yml"
    file.write_text("objectives: {queues: [{match: q, age_seconds: 3600000, length: off}]}\n")
    done = console.call("check-config", str(file))
    assert done.returncode == 0
    assert done.stderr == (
        f"celery-sentinel: warning: {file}:1: objectives.queues[0].age_seconds: 3600000 seconds "
        "are 41.7 days; if milliseconds were meant, write 3600, if not, 1000h\n"
    )
    assert yaml.safe_load(done.stdout)["objectives"]["queues"] == [
        {"match": "q", "severity": "warning", "length": "off", "age_seconds": 3600000}
    ]


def test_metrics_prints_a_line_each() -> None:
    """The text form is one line a metric, its columns aligned."""
    lines = console.call("metrics").stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [
        [metric.name, metric.type] for metric in catalogue.METRICS
    ]
    assert (
        len(
            {line.index(metric.help) for line, metric in zip(lines, catalogue.METRICS, strict=True)}
        )
        == 1
    )


def test_metrics_prints_a_page_of_tables() -> None:
    """The Markdown form has a table a group, and a row of as many cells for every metric."""
    done = console.call("metrics", "--format", "markdown")
    groups = list(dict.fromkeys(metric.group for metric in catalogue.METRICS))
    headings = [line for line in done.stdout.splitlines() if line.startswith("## ")]
    rows = [line for line in done.stdout.splitlines() if line.startswith("| `")]
    assert headings == [f"## {group.capitalize()}" for group in groups]
    assert [row.split("`")[1] for row in rows] == [metric.name for metric in catalogue.METRICS]
    assert {row.replace("\\|", "").count("|") for row in rows} == {7}


def test_what_will_not_do_what_it_seems_to_is_a_warning(tmp_path: pathlib.Path) -> None:
    """Durable events need RabbitMQ; elsewhere the configuration is valid, and doubtful."""
    file = tmp_path / "sentinel.yml"
    file.write_text("broker: {url: redis://localhost/0, durable_events: true}\n")
    done = console.call("check-config", str(file))
    assert done.returncode == 0
    assert done.stderr == (
        f"celery-sentinel: warning: {file}:1: broker.durable_events is on, but only RabbitMQ "
        "can keep events for us; while the daemon is away from redis they are lost\n"
    )
    file.write_text("broker: {url: amqp://localhost, durable_events: true}\n")
    assert console.call("check-config", str(file)).stderr == ""
