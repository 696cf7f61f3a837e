"""The page says whether the state file is written, and what came of it at the start."""

from __future__ import annotations

import msgspec
import pytest

from celery_sentinel.status import schema as status_schema
from celery_sentinel.web.pages import landing
from tests.unit.web import test_landing


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (
            status_schema.StateStatus(
                restored=True,
                why_not=None,
                snapshot_age_seconds=12.0,
                snapshot_bytes=4096,
                failures=0,
                last_error=None,
            ),
            ("saved</span> 12 s ago, 4,096 B", "restored at the start<"),
        ),
        (
            status_schema.StateStatus(
                restored=False,
                why_not="the file <b> is damaged",
                snapshot_age_seconds=None,
                snapshot_bytes=None,
                failures=2,
                last_error="disk <full>",
            ),
            (
                "not saved</span> disk &lt;full&gt;",
                "not restored at the start: the file &lt;b&gt;",
                "2 failures",
            ),
        ),
    ],
)
def test_the_state_file_is_told(
    empty: status_schema.Status, state: status_schema.StateStatus, words: tuple[str, ...]
) -> None:
    """Its age and size, or why it was not written or not restored; without one no word."""
    page = landing.render(msgspec.structs.replace(empty, state=state), test_landing.LINKS).decode()
    assert [one for one in words if one not in page] == []
    assert "State file" not in landing.render(empty, test_landing.LINKS).decode()
