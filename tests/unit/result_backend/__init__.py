"""Tests of the watch over the result backend."""
