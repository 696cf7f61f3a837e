"""A stage for every test on the model."""

from __future__ import annotations

import pytest

from tests.unit.fleet import stage


@pytest.fixture
def play() -> stage.Stage:
    """Return a fleet with the default configuration, and its clocks."""
    return stage.Stage()
