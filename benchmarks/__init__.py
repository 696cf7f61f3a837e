"""Measures the daemon beside its peers and beside the floor; README.md says how to read it."""
