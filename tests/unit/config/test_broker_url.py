"""Where the broker URL comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from celery_sentinel import errors
from celery_sentinel.config import broker_url as broker_url_source

if TYPE_CHECKING:
    import pathlib

FLAG = broker_url_source.Given("redis://flag", "--broker-url")
VARIABLE = broker_url_source.Given("redis://variable", "$CELERY_SENTINEL_BROKER_URL")


def in_file(file: pathlib.Path, content: str) -> broker_url_source.Given:
    """Return what --broker-url-file gives for a file of ``content``."""
    file.write_text(content)
    return broker_url_source.Given(str(file), "--broker-url-file")


def credentials(directory: pathlib.Path) -> dict[str, str]:
    """Return an environment that provides a credential."""
    (directory / "broker-url").write_text("redis://credential\n")
    return {"CREDENTIALS_DIRECTORY": str(directory)}


def test_nothing_given_is_none(tmp_path: pathlib.Path) -> None:
    """Without any source, and with a credentials directory of others, file and default count."""
    assert broker_url_source.choose([(None, None)], {}) is None
    assert (
        broker_url_source.choose([(None, None)], {"CREDENTIALS_DIRECTORY": str(tmp_path)}) is None
    )


def test_the_first_level_goes_first(tmp_path: pathlib.Path) -> None:
    """A flag goes before a variable, a variable before a credential."""
    environ = credentials(tmp_path)
    assert broker_url_source.choose([(FLAG, None), (VARIABLE, None)], environ) == FLAG
    assert broker_url_source.choose([(None, None), (VARIABLE, None)], environ) == VARIABLE


def test_a_file_of_flags_goes_before_a_variable(tmp_path: pathlib.Path) -> None:
    """--broker-url-file is a flag as well; white space around the URL is not part of it."""
    file = in_file(tmp_path / "url", "\n redis://file \n")
    expected = broker_url_source.Given("redis://file", f"--broker-url-file ({tmp_path}/url)")
    assert broker_url_source.choose([(None, file), (VARIABLE, None)], {}) == expected


def test_a_credential_is_found(tmp_path: pathlib.Path) -> None:
    """A credential called broker-url, as from systemd, needs no flag."""
    assert broker_url_source.choose(
        [(None, None)], credentials(tmp_path)
    ) == broker_url_source.Given(
        "redis://credential",
        f"$CREDENTIALS_DIRECTORY/broker-url ({tmp_path}/broker-url)",
    )


def test_url_and_file_at_once_are_refused(tmp_path: pathlib.Path) -> None:
    """Two sources at one level are a mistake, not a choice for us to make."""
    with pytest.raises(errors.ConfigError) as refused:
        broker_url_source.choose([(FLAG, in_file(tmp_path / "url", "redis://file"))], {})
    assert str(refused.value) == (
        "found both --broker-url and --broker-url-file; give only one of them"
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot read {file}: No such file or directory"),
        (b" \n", "{file} is empty"),
        (b"redis://\xff", "{file} is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(
    tmp_path: pathlib.Path, content: bytes | None, words: str
) -> None:
    """Each failure names the flag, the file and what to do, and shows nothing of the content."""
    file = tmp_path / "url"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(errors.ConfigError) as refused:
        broker_url_source.choose(
            [(None, broker_url_source.Given(str(file), "--broker-url-file"))], {}
        )
    assert str(refused.value) == (
        f"--broker-url-file: {words.format(file=file)}; "
        "give a file of one line, the broker URL, that this user may read"
    )
