"""Bad usage and bad configuration end with code 2 and a line that says what to do."""

from __future__ import annotations

import pathlib

import pytest

from tests.acceptance import console

BROKEN = pathlib.Path(__file__).parents[1] / "unit" / "config" / "broken"
COMMANDS = pytest.mark.parametrize("command", ["run", "check-config"])


@COMMANDS
def test_a_wrong_config_file_is_told_in_one_line(command: str, tmp_path: pathlib.Path) -> None:
    """The line names the program, the place, the key, what was found and what is allowed."""
    file = tmp_path / "sentinel.yml"
    file.write_text("log:\n  levle: info\n")
    done = console.call(command, "--config.file", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"celery-sentinel: error: {file}:2: log.levle: found an unknown key; "
        "did you mean level? allowed: level, format\n"
    )


@COMMANDS
def test_a_missing_config_file_is_told(command: str, tmp_path: pathlib.Path) -> None:
    """A config file that was asked for and cannot be read is an error, not a default."""
    done = console.call(command, "--config.file", f"{tmp_path}/gone.yml")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"celery-sentinel: error: {tmp_path}/gone.yml: cannot read the config file: "
        "No such file or directory; give --config.file a YAML file that this user may read\n"
    )


@COMMANDS
@pytest.mark.parametrize(
    ("arguments", "variables", "line"),
    [
        (
            ["--broker-url", "reddis://:hunter2@host"],
            {},
            (
                "--broker-url: broker.url: the URL has the scheme 'reddis'; did you mean redis? "
                "allowed: redis, rediss, redis+socket, sentinel, amqp, amqps, memory, filesystem, "
                "and the other transports of kombu"
            ),
        ),
        (
            [],
            {"CELERY_SENTINEL_BROKER_URL": "redis://:hun/ter2@host"},
            (
                "$CELERY_SENTINEL_BROKER_URL: broker.url: the URL has a host or port that cannot "
                "be read; a user or password with any of / ? # @ : % ; in it must be "
                "percent-encoded"
            ),
        ),
        (
            ["--web.listen-address", ":1", "--web.listen-address", "9808"],
            {},
            (
                "--web.listen-address: web.listen_address[1]: found '9808'; allowed: [HOST]:PORT "
                "such as :9808, 127.0.0.1:9808 or [::1]:9808, PORT from 0 (any free one) to 65535"
            ),
        ),
        (
            [],
            {"CELERY_SENTINEL_WEB_TELEMETRY_PATH": "metrics\nforged"},
            (
                "$CELERY_SENTINEL_WEB_TELEMETRY_PATH: web.telemetry_path: found "
                "'metrics\\nforged'; allowed: a path such as /metrics: starting with /, of "
                "letters, digits and . _ ~ -, and none of /, /-/healthy, /-/ready, /-/reload, "
                "/api/v1/status"
            ),
        ),
        (
            ["--broker-url", "redis://:hunter2@host", "--broker-url-file", "x"],
            {},
            "found both --broker-url and --broker-url-file; give only one of them",
        ),
        (
            ["--broker-url-file", "/nowhere/url"],
            {"CELERY_SENTINEL_BROKER_URL": "redis://:hunter2@host"},
            (
                "--broker-url-file: cannot read /nowhere/url: No such file or directory; "
                "give a file of one line, the broker URL, that this user may read"
            ),
        ),
    ],
)
def test_a_bad_value_is_told_by_its_origin(
    command: str, arguments: list[str], variables: dict[str, str], line: str
) -> None:
    """The line begins with the flag or the variable that the value came from."""
    done = console.call(command, *arguments, **variables)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"celery-sentinel: error: {line}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--log.level", "loud"], "'debug', 'info', 'warning', 'error'"),
        (["run", "--log.format", "xml"], "'auto', 'logfmt', 'console', 'json'"),
        (["metrics", "--format", "html"], "'text', 'markdown'"),
        (["run", "--broker-ulr", "x"], "--broker-url"),
        (["rnu"], "No such command 'rnu'"),
        (["demo", "--duration", "soon"], "'soon' is not a valid float"),
        (["demo", "--duration", "nan"], "nan is no number of seconds"),
        (["demo", "--duration", "0"], "0"),
        (["demo", "--web.listen-address", "9808"], "[HOST]:PORT"),
        (["check-config", "a.yml", "--config.file", "b.yml"], "FILE or --config.file, not both"),
    ],
)
def test_bad_usage_ends_with_2(arguments: list[str], words: str) -> None:
    """A command, flag or value that does not exist is refused with what does."""
    done = console.call(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


def test_a_bad_variable_is_refused_by_its_name() -> None:
    """A bad value in the environment is told with the variable, for nobody typed a flag."""
    done = console.call("run", CELERY_SENTINEL_LOG_LEVEL="loud")
    assert done.returncode == 2
    assert "CELERY_SENTINEL_LOG_LEVEL" in done.stderr
    assert "'loud'" in done.stderr


@pytest.mark.parametrize("name", ["alias", "broker_url_port", "tag_handle", "top_is_text"])
def test_no_error_shows_a_password(name: str) -> None:
    """Files that hold a password where it breaks things are refused without showing it."""
    done = console.call("check-config", str(BROKEN / f"{name}.yml"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("celery-sentinel: error: ")
    assert "hunter" not in done.stderr
    assert "ter2" not in done.stderr
