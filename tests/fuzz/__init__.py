"""Bytes that nobody thought of: targets that hold for any input, their corpus, their runner."""
