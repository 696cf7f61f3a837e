"""Every message of the config file's checks, pinned: a broken file beside its exact text."""

from __future__ import annotations

import pathlib

import pytest

from celery_sentinel import errors
from celery_sentinel.config import loading, yaml_nodes

BROKEN = pathlib.Path(__file__).parent / "broken"
FILES = sorted(file.name for file in BROKEN.glob("*.yml"))


@pytest.mark.parametrize("name", FILES)
def test_each_broken_file_is_refused_in_its_words(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken file is refused with exactly the text that lies beside it."""
    monkeypatch.chdir(BROKEN)
    with pytest.raises(errors.ConfigError) as refused:
        loading.load(name, overrides={})
    assert (BROKEN / name).with_suffix(".txt").read_text() == f"{refused.value}\n"


@pytest.mark.parametrize("name", FILES)
def test_no_text_shows_a_password(name: str) -> None:
    """Some of the broken files hold a password, and no text shows it."""
    text = (BROKEN / name).with_suffix(".txt").read_text()
    assert "hunter" not in text
    assert "ter2" not in text


@pytest.mark.parametrize("name", FILES)
def test_each_text_is_one_line_with_a_place(name: str) -> None:
    """Every text is one printable line that begins with file and line."""
    line = (BROKEN / name).with_suffix(".txt").read_text().removesuffix("\n")
    assert line.isprintable()
    file, number, _ = line.split(":", 2)
    assert file == name
    assert number.isdecimal()


def test_every_text_has_its_file() -> None:
    """No expectation lies around without the file it is about."""
    assert [file.stem for file in sorted(BROKEN.glob("*.txt"))] == [
        pathlib.Path(name).stem for name in FILES
    ]


def test_a_missing_file_is_refused(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is not there is named, with the reason."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.ConfigError) as refused:
        loading.load("gone.yml", overrides={})
    assert str(refused.value) == (
        "gone.yml: cannot read the config file: No such file or directory; "
        "give --config.file a YAML file that this user may read"
    )


def test_a_directory_is_refused(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory is no config file."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.ConfigError) as refused:
        loading.load(".", overrides={})
    assert str(refused.value) == (
        ".: cannot read the config file: Is a directory; "
        "give --config.file a YAML file that this user may read"
    )


def test_a_name_that_is_no_path_is_refused() -> None:
    """A name no file can have is shown escaped, in one line."""
    with pytest.raises(errors.ConfigError) as refused:
        loading.load("a\0b\n", overrides={})
    assert str(refused.value) == (
        "a\\x00b\\n: cannot read the config file: embedded null byte; "
        "give --config.file a YAML file that this user may read"
    )


def test_a_file_that_is_too_large_is_refused(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file over 1 MiB is refused unread."""
    monkeypatch.chdir(tmp_path)
    pathlib.Path("large.yml").write_bytes(b"#" * (yaml_nodes.MAX_BYTES + 1))
    with pytest.raises(errors.ConfigError) as refused:
        loading.load("large.yml", overrides={})
    assert str(refused.value) == (
        "large.yml:1: the file is larger than 1048576 bytes, the most a config file may have"
    )


def test_aliases_cannot_grow_without_bound() -> None:
    """Nine levels of ten aliases each would be a thousand million values; the first is refused."""
    levels = [b"a0: &a0 [x]"]
    levels += [b"a%d: &a%d [%s]" % (n, n, b",".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 9)]
    with pytest.raises(errors.ConfigError) as refused:
        yaml_nodes.parse(b"\n".join(levels), "laughs.yml")
    assert str(refused.value).startswith("laughs.yml:1: found an anchor (&)")
