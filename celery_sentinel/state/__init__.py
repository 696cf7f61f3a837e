"""Keeps the model over a restart: snapshots on disk, and what is made of them at the start."""
