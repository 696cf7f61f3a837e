"""A stage for every test on the model, and a process that plays on it."""

from __future__ import annotations

import pytest

from tests.unit.fleet import accounts, stage


@pytest.fixture
def play() -> stage.Stage:
    """Return a fleet with the default configuration, and its clocks."""
    return stage.Stage()


@pytest.fixture
def process(play: stage.Stage) -> accounts.Process:
    """Return a process whose account of starts runs."""
    found = accounts.Process(play)
    found.beat()
    found.run()
    found.beat()
    return found
