"""Tests of the status document."""
