"""Each fault is reported by the alert that names its cause, and by no other.

The faults are injected side by side into fleets of their own, once; each is then judged by
itself. `make faults` injects those as well for which there is no time here.
"""

from __future__ import annotations

import pathlib
import shutil
import tempfile
from typing import TYPE_CHECKING

import pytest

from tests.faults import results, suite

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.xdist_group("faults"), pytest.mark.timeout(540)]

BRIEF = [name for name, setting in suite.SETTINGS.items() if setting.brief]


@pytest.fixture(scope="module")
def played() -> Iterator[dict[str, list[results.Result]]]:
    """Inject the faults that are soon told of, all at once."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="faults"))
    yield suite.run(directory, BRIEF)
    shutil.rmtree(directory)


@pytest.mark.parametrize("name", [*BRIEF, suite.WATCHDOG])
def test_a_fault_is_reported_by_its_alert_alone(
    name: str, played: dict[str, list[results.Result]]
) -> None:
    """All that was expected arrived, nothing else did, and there was one page at most."""
    found = played[name]
    assert found
    assert all(result.faultless for result in found), results.table(found)
