"""Prints what was sent, for whoever ran it for an hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.commands.scene import Scene


def say(seconds: float, fault: str, scene: Scene) -> None:
    """Print one line after a fault."""
    totals = ", ".join(
        f"{watcher.name} {sum(heard.total for heard in watcher.recordings)}"
        for watcher in scene.watchers
    )
    print(f"{seconds:7.1f} s  {fault:<18} sent so far: {totals}", flush=True)  # noqa: T201


def show(seconds: float, scene: Scene) -> None:
    """Print how often each line of the list was sent, and whatever is wrong."""
    for watcher in scene.watchers:
        total = sum(heard.total for heard in watcher.recordings)
        print(f"\n{watcher.name} rights: {total} commands in {seconds:.0f} s, ", end="")  # noqa: T201
        print(f"{watcher.lines} lines of log")  # noqa: T201
        for heard in watcher.recordings:
            for line, count in heard.counts.items():
                print(f"{count:9}  {line}")  # noqa: T201
            for title, found in (("NOT LISTED", heard.unmatched), ("REFUSED", heard.refused)):
                for text, count in found.items():
                    print(f"{count:9}  {title}: {text}")  # noqa: T201
        for line in watcher.repeats:
            print(f"{'':9}  LOGGED AGAIN: {line}")  # noqa: T201
