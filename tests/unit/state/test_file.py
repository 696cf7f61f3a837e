"""The file is there whole or not at all, and what is not whole is never believed."""

from __future__ import annotations

import os
import resource
import stat
from typing import TYPE_CHECKING

import pytest

from celery_sentinel.state import file as state_file

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable, Iterator

FRAMES = [b"head", b"", b"rows" * 1000]
MAGIC = b"CSstate\n"


def opened(path: pathlib.Path, *, version: int = 1, largest: int = 100_000) -> state_file.Store:
    """Return a store at a path."""
    return state_file.Store(str(path), magic=MAGIC, version=version, largest=largest)


def refusal(kept: state_file.Store) -> str:
    """Return why a file cannot be read."""
    with pytest.raises(state_file.StateError) as refused:
        kept.read()
    return str(refused.value)


def beside(path: pathlib.Path) -> list[str]:
    """Return the names of all files in the directory of a file."""
    return sorted(each.name for each in path.parent.iterdir())


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    """Return where the state file is to be."""
    return tmp_path / "state"


def test_frames_come_back(path: pathlib.Path) -> None:
    """What is written is read, the empty frame as well; only the owner may read it."""
    kept = opened(path)
    size = kept.write(FRAMES)
    assert list(kept.read() or ()) == FRAMES
    assert path.stat().st_size == size
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert beside(path) == ["state"]


def test_no_file_is_no_error(path: pathlib.Path) -> None:
    """A file that is missing, or its whole directory, is a first start."""
    assert opened(path).read() is None
    assert opened(path / "deeper").read() is None


def test_a_link_is_followed(tmp_path: pathlib.Path, path: pathlib.Path) -> None:
    """What a link points to is replaced, and the link stays."""
    (tmp_path / "link").symlink_to(path)
    opened(tmp_path / "link").write(FRAMES)
    assert (tmp_path / "link").is_symlink()
    assert list(opened(path).read() or ()) == FRAMES


def flip(at: int) -> Callable[[bytes], bytes]:
    """Return what turns one bit of a file."""
    return lambda raw: raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (lambda _: b"", "truncated"),
        (lambda raw: raw[:20], "truncated"),
        (lambda raw: raw[:-1], "truncated"),
        (lambda raw: raw + b"x", "truncated"),
        (lambda _: b"no state, but long enough to have a whole header of it", "no state file"),
        (flip(0), "no state file"),
        (flip(11), "version 0"),
        (flip(19), "truncated"),
        (flip(30), "checksum"),
        (flip(60), "checksum"),
        (lambda raw: raw[:-1] + b"!", "checksum"),
        (lambda raw: raw + bytes(100_000), "more than"),
    ],
)
def test_a_broken_file_is_refused(
    path: pathlib.Path, broken: Callable[[bytes], bytes], reason: str
) -> None:
    """Truncated, foreign, damaged, of another version or too large: each says which."""
    kept = opened(path)
    kept.write(FRAMES)
    path.write_bytes(broken(path.read_bytes()))
    assert reason in refusal(kept)


def test_a_newer_version_is_refused(path: pathlib.Path) -> None:
    """The text names both versions."""
    opened(path, version=2).write(FRAMES)
    assert refusal(opened(path)) == "has version 2 of the format, this program reads 1"


def test_what_is_no_file_is_refused_and_left_alone(path: pathlib.Path) -> None:
    """A directory, a pipe or a device is neither read, nor waited for, nor replaced."""
    path.mkdir()
    fifo = path.with_name("fifo")
    os.mkfifo(fifo)
    device = path.with_name("device")
    device.symlink_to("/dev/full")
    for odd in (path, fifo, device):
        kept = opened(odd)
        assert refusal(kept) in {"is no regular file", "cannot be read: Is a directory"}
        assert kept.set_aside() is None
        with pytest.raises(state_file.StateError, match="no regular file"):
            kept.write(FRAMES)
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)  # noqa: PTH116 -- the device itself


def test_few_broken_files_are_kept(path: pathlib.Path) -> None:
    """Of many the newest three stay, so that a loop of restarts does not fill the disk."""
    kept = opened(path)
    for number in range(6):
        path.write_text(str(number))
        assert kept.set_aside() is not None
    left = sorted(path.parent.iterdir())
    assert [each.read_text() for each in left] == ["3", "4", "5"]
    assert kept.set_aside() is None


def test_a_full_disk_leaves_the_file_as_it_was(path: pathlib.Path) -> None:
    """When no more can be written the old file stands and no other is left behind."""
    kept = opened(path, largest=10_000_000)
    kept.write(FRAMES)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(state_file.StateError, match="File too large"):
            kept.write([bytes(1000)] * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(kept.read() or ()) == FRAMES
    assert beside(path) == ["state"]


def test_nothing_is_written_that_would_not_be_read(path: pathlib.Path) -> None:
    """The bound of reading holds for writing."""
    kept = opened(path, largest=5000)
    kept.write(FRAMES)
    with pytest.raises(state_file.StateError, match="more than 5000 bytes"):
        kept.write([*FRAMES, bytes(2000)])
    assert list(kept.read() or ()) == FRAMES


def test_a_writer_that_is_stopped_leaves_nothing(path: pathlib.Path) -> None:
    """Frames that end in an exception leave the old file; a killed writer's is tidied away."""
    kept = opened(path)
    kept.write(FRAMES)

    def ending() -> Iterator[bytes]:
        yield b"head"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept.write(ending())
    assert list(kept.read() or ()) == FRAMES
    path.with_name("state.new-abc").touch()
    kept.tidy()
    assert beside(path) == ["state"]
    kept.remove()
    assert beside(path) == []


def test_a_directory_that_is_missing_says_so(path: pathlib.Path) -> None:
    """The text is that of the system."""
    with pytest.raises(state_file.StateError, match="No such file or directory"):
        opened(path / "state").write(FRAMES)
