"""Tests against real servers and workers, which the tests start themselves."""
