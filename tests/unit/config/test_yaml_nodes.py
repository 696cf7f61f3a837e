"""What the text of a config file means, and that no bytes can do harm."""

from __future__ import annotations

import math
import pathlib
import tempfile

import hypothesis
import pytest
from hypothesis import strategies

from celery_sentinel import errors
from celery_sentinel.config import loading, yaml_nodes

# Text that looks enough like a config file to reach every check.
_WORDS = strategies.sampled_from(
    (
        *("broker", "url", "tls", "ca_file", "redis://:pw@h:1/0", "amqp://", "sentinel://"),
        *("web", "listen_address", ":9808", "[::1]:0", "telemetry_path", "log", "level"),
        *("events", "queue_ttl", "queues", "watch", "metrics", "limits", "names", "tasks"),
        *("buckets", "match", "runtime", "categories", "5m", "1.5h", "-1", "0", ".inf", ".nan"),
        *("1e400", "0x1f", "99999999999999999999", "true", "null", "yes", "\\U0011FFFF", "\\ud800"),
        *("*a", "&a", "!b", "!!int", "!x!y", "<<", "---", "...", "%YAML", "é"),
        *"~|>'[]{},:-?#@`\"\t\n\r\x00\x85\u2028\ufeff",
    )
)
_SPACES = strategies.sampled_from([" ", "", "\n", "\n  ", "\n    ", ": ", ":\n  ", ", ", "- "])
_YAML = strategies.lists(strategies.tuples(_WORDS, _SPACES), max_size=30).map(
    lambda pairs: "".join(word + space for word, space in pairs).encode()
)


def parsed(text: str) -> object:
    """Return the plain value that ``text`` is in a config file."""
    value = yaml_nodes.parse(f"key: {text}".encode(), "file.yml").plain()
    assert isinstance(value, dict)
    return value["key"]


def test_scalars_are_what_they_look_like() -> None:
    """Plain scalars follow YAML 1.2: `no` is text, 010 is ten, and quotes make text."""
    assert parsed("[1, -2, +3, 010, 0o10, 0x1F]") == [1, -2, 3, 10, 8, 31]
    assert parsed("[1.5, .5, 2., 1e3, .inf, -.Inf]") == [1.5, 0.5, 2, 1000, math.inf, -math.inf]
    assert parsed("[true, False, null, ~]") == [True, False, None, None]
    words = ["no", "on", "12:30", "1_000", "2024-01-01"]
    assert parsed(f"[{', '.join(words)}]") == words
    assert parsed("['1', \"true\", '']") == ["1", "true", ""]


def test_not_a_number_is_read_as_such() -> None:
    """.nan is a float, for the checks to refuse."""
    assert repr(parsed(".nan")) == "nan"


def test_keys_are_text() -> None:
    """A key that looks like a number or a boolean is the text it is written as."""
    assert parsed("{1: a, true: b}") == {"1": "a", "true": "b"}


def test_blocks_are_text() -> None:
    """Block scalars keep their lines and are text, whatever they hold."""
    assert parsed("|\n  1\n  2\n") == "1\n2\n"


def test_a_number_of_absurd_length_is_text() -> None:
    """Digits without end are not computed with."""
    assert parsed("9" * 100_000) == "9" * 100_000


def test_every_value_knows_its_line() -> None:
    """Nodes carry file and line, keys as well as values."""
    node = yaml_nodes.parse(b"a:\n  b:\n    - 1\n    - 2\n", "file.yml")
    assert isinstance(node.value, dict)
    inner = node.value["a"]
    assert isinstance(inner.value, dict)
    items = inner.value["b"].value
    assert isinstance(items, tuple)
    assert (node.keys, inner.keys) == ({"a": "file.yml:1"}, {"b": "file.yml:2"})
    assert [item.place for item in items] == ["file.yml:3", "file.yml:4"]


@pytest.mark.parametrize("opening", [b"[", b"{a: ", b"- ", b"? ", b"{? "])
def test_depth_is_bounded(opening: bytes) -> None:
    """Nesting without end is refused at once, not when the interpreter's stack is full."""
    with pytest.raises(errors.ConfigError, match=r"nested deeper than 32 levels|no text"):
        yaml_nodes.parse(opening * 100_000, "file.yml")


@hypothesis.given(strategies.binary(max_size=200) | _YAML)
def test_no_bytes_raise_anything_but_config_error(raw: bytes) -> None:
    """Whatever a config file holds, it loads or is refused in one line that names its place."""
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory) / "any.yml"
        file.write_bytes(raw)
        told = f"{file}:"
        try:
            loading.load(str(file), overrides={})
        except errors.ConfigError as error:
            told = str(error)
        assert told.isprintable()
        assert told.startswith(f"{file}:")
