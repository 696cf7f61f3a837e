"""``make bench``: run the parts, print what they found, write RESULTS.md and the pictures."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import chapters, side_by_side
from benchmarks.settings import FULL, TINY

if TYPE_CHECKING:
    from collections.abc import Sequence

_HERE = Path(__file__).parent
_IMAGES = _HERE.parent / "docs" / "images"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts that were named, or all, which also writes RESULTS.md."""
    chosen = _parser().parse_args(arguments)
    parts = chosen.parts or list(chapters.PARTS)
    whole = set(parts) == set(chapters.PARTS) and not chosen.tiny
    output: Path | None = chosen.output or (_HERE / "RESULTS.md" if whole else None)
    images = None if chosen.no_images else _IMAGES
    settings = TINY if chosen.tiny else FULL
    begun, texts = time.monotonic(), []
    if whole:
        texts.append(_machine())
    goals: list[chapters.Goal] = []
    for part in parts:
        print(f"{part} ...", file=sys.stderr, flush=True)
        chapter = chapters.PARTS[part](settings, images, foreign=not chosen.no_foreign)
        texts.append(chapter.text)
        goals += chapter.goals
    if goals:
        texts.insert(1 if whole else 0, chapters.goals_section(goals))
    print(f"done in {time.monotonic() - begun:.0f} s", file=sys.stderr)
    document = "# Results\n\n" + "\n\n".join(texts) + "\n"
    print(document)
    if output is not None:
        output.write_text(document, encoding="utf-8")
    return 0


def _times(rounds: int) -> str:
    return (
        "once" if rounds == 1 else f"{rounds} times; shown are the median, the least and the most"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", choices=[*chapters.PARTS, []], metavar="PART", help="default: all"
    )
    parser.add_argument("--tiny", action="store_true", help="sizes at which figures mean nothing")
    parser.add_argument(
        "--no-foreign", action="store_true", help="leave out what the tests do not install"
    )
    parser.add_argument("--output", type=Path, help="where to write the results")
    parser.add_argument("--no-images", action="store_true", help="draw nothing")
    return parser


def _machine() -> str:
    """Return on what it was measured, and how restless that was."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("celery", "redis"))
    load = os.getloadavg()[0]
    return (
        f"{time.strftime('%Y-%m-%d', time.gmtime())}, {os.cpu_count()} cores of {_processor()}, "
        f"{platform.system()}, Python {platform.python_version()}, {versions}. Load average at the "
        f"start {load:.2f}; equal pieces of work differed by {side_by_side.noise():.0%}.\n\n"
        f"README.md says how to read this. Each contestant raced {_times(FULL.rounds)}."
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    sys.exit(main())
