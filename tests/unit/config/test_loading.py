"""What becomes of defaults, file and overrides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from celery_sentinel import errors
from celery_sentinel.config import loading, schema

if TYPE_CHECKING:
    import pathlib

EVERY_SECTION = """
broker:
  url: sentinel://:pw@one:26379;sentinel://:pw@two:26379
  transport_options: {master_name: mymaster, priority_steps: [0, 3], sep: ':'}
web: {listen_address: ["127.0.0.1:0", "[::1]:0"], telemetry_path: /m/etrics}
log: {level: debug, format: json}
events: {enable: false, exchange: ev, queue_prefix: p, queue_ttl: 90, queue_max_bytes: 10}
queues: {watch: [no, "1"], ignore: [], dead_letter: [dead]}
metrics: {compat: true, zero_born_hold: 0, limits: {names: 5}}
tasks:
  labels: [hostname]
  ttl: 7d
  grace: 1.5m
  buckets: [{match: "a.*", runtime: [1, 2.5], queue_wait: []}]
  categories: [{match: "Http*", category: upstream}]
workers: {forget_after: 1h}
"""


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    """Return where a test writes its config file."""
    return tmp_path / "sentinel.yml"


def test_without_file_and_overrides_all_is_default() -> None:
    """Everything works without a config file."""
    assert loading.load(None, overrides={}) == schema.Config()


@pytest.mark.parametrize(
    "text", ["", "\n\n", "# nothing\n", "---\n", "null\n", "\ufeff", "log:\nweb:\nbroker: {}\n"]
)
def test_an_empty_file_means_defaults(file: pathlib.Path, text: str) -> None:
    """A file of nothing, and sections whose lines are all commented out, change nothing."""
    file.write_text(text, encoding="utf-8")
    assert loading.load(str(file), overrides={}) == schema.Config()


def test_every_section_of_the_file_is_read(file: pathlib.Path) -> None:
    """What stands in the file is what the config holds, and the rest stays default."""
    file.write_text(EVERY_SECTION)
    assert loading.load(str(file), overrides={}) == schema.Config(
        broker=schema.Broker(
            url="sentinel://:pw@one:26379;sentinel://:pw@two:26379",
            transport_options={"master_name": "mymaster", "priority_steps": [0, 3], "sep": ":"},
        ),
        web=schema.Web(listen_address=("127.0.0.1:0", "[::1]:0"), telemetry_path="/m/etrics"),
        log=schema.Log(level="debug", format="json"),
        events=schema.Events(
            enable=False,
            exchange="ev",
            queue_prefix="p",
            queue_ttl=schema.Seconds(90),
            queue_max_bytes=10,
        ),
        queues=schema.Queues(watch=("no", "1"), ignore=(), dead_letter=("dead",)),
        metrics=schema.Metrics(
            compat=True, zero_born_hold=schema.Seconds(0), limits=schema.Limits(names=5)
        ),
        tasks=schema.Tasks(
            labels=("hostname",),
            ttl=schema.Seconds(604_800),
            grace=schema.Seconds(90),
            buckets=(schema.TaskBuckets(match="a.*", runtime=(1.0, 2.5), queue_wait=()),),
            categories=(schema.ExceptionCategory(match="Http*", category="upstream"),),
        ),
        workers=schema.Workers(forget_after=schema.Seconds(3600)),
    )


def test_durations_are_seconds_of_the_type_that_says_so(file: pathlib.Path) -> None:
    """A duration comes out as Seconds, however it was written."""
    file.write_text("tasks: {ttl: 2h, grace: 3}")
    tasks = loading.load(str(file), overrides={}).tasks
    assert [(type(each), each) for each in (tasks.ttl, tasks.grace)] == [
        (schema.Seconds, 7200.0),
        (schema.Seconds, 3.0),
    ]


def test_an_override_goes_before_the_file(file: pathlib.Path) -> None:
    """An override replaces one key, and the keys beside it stay as the file has them."""
    file.write_text("log: {level: error, format: json}\n")
    config = loading.load(str(file), overrides={"log.level": "debug", "broker.url": "memory://"})
    assert config.log == schema.Log(level="debug", format="json")
    assert config.broker.url == "memory://"


def test_an_override_saves_a_bad_value_of_the_file(file: pathlib.Path) -> None:
    """A value that is not used is not checked."""
    file.write_text("broker: {url: nonsense}\n")
    assert loading.load(str(file), overrides={"broker.url": "memory://"}).broker.url == "memory://"


def test_an_override_does_not_hide_that_a_section_is_none(file: pathlib.Path) -> None:
    """What stands in the place of a section is refused, override or not."""
    file.write_text("log: debug\n")
    with pytest.raises(errors.ConfigError, match="log: found 'debug'"):
        loading.load(str(file), overrides={"log.format": "json"})


def test_a_list_is_overridden_as_a_whole(file: pathlib.Path) -> None:
    """Listen addresses of flags replace those of the file."""
    file.write_text("web: {listen_address: [':1', ':2']}\n")
    config = loading.load(str(file), overrides={"web.listen_address": (":3",)})
    assert config.web.listen_address == (":3",)


def test_a_bad_override_is_told_by_its_origin() -> None:
    """The text names the flag or the variable, the key, what was found and what is allowed."""
    with pytest.raises(errors.ConfigError) as refused:
        loading.load(
            None,
            overrides={"web.listen_address": (":1", "9808")},
            origins={"web.listen_address": "--web.listen-address"},
        )
    assert str(refused.value) == (
        "--web.listen-address: web.listen_address[1]: found '9808'; allowed: "
        "[HOST]:PORT such as :9808, 127.0.0.1:9808 or [::1]:9808, "
        "PORT from 0 (any free one) to 65535"
    )


def test_an_override_of_no_known_type_is_our_mistake() -> None:
    """Overrides are what flags can hold; anything else is a bug, not a configuration."""
    with pytest.raises(TypeError, match="log: an override is text"):
        loading.load(None, overrides={"log": object()})


def test_tls_files_that_exist_are_accepted(file: pathlib.Path) -> None:
    """Certificates are accepted when they can be read."""
    file.write_text(
        f"broker: {{tls: {{ca_file: '{file}', cert_file: '{file}', key_file: '{file}'}}}}"
    )
    tls = loading.load(str(file), overrides={}).broker.tls
    assert tls == schema.Tls(ca_file=str(file), cert_file=str(file), key_file=str(file))


def test_the_schema_refuses_what_it_does_not_know() -> None:
    """Every section forbids unknown fields, so no way of building one can ignore a typo."""
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.convert({"lebel": "info"}, schema.Log)
