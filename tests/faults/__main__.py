"""Injects every fault, prints what became of it, and writes the table to docs/faults.md.

`python -m tests.faults NAME…` plays some scenes only, and writes nothing.
"""

from __future__ import annotations

import contextlib
import pathlib
import sys
import tempfile
import time

from tests.faults import results, suite

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "faults.md"


def main(names: list[str]) -> int:
    """Run the scenes; the exit code is 1 unless every fault was reported as it should be."""
    unknown = [name for name in names if name not in suite.SETTINGS]
    if unknown:
        print(f"found no scene {', '.join(unknown)}; there are {', '.join(suite.SETTINGS)}")  # noqa: T201
        return 2
    # Short: the path of a unix socket may not exceed 107 characters.
    directory = pathlib.Path(tempfile.mkdtemp(prefix="faults"))
    started = time.monotonic()
    with (directory / "servers.log").open("w") as log, contextlib.redirect_stdout(log):
        played = suite.run(directory, names or suite.SETTINGS)
    found = [result for scene in played.values() for result in scene]
    seconds = time.monotonic() - started
    report = results.table(found) + "\n\n" + results.summary(found)
    print(f"{report}\n\n{seconds:.0f} s; logs in {directory}")  # noqa: T201
    if not names:
        results.write(PAGE, report)
    return 0 if all(result.faultless for result in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
