"""Tests of what the daemon knows of its own health."""
