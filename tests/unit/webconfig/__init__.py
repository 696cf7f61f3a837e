"""Tests of the web config file."""
