"""Collectors copy the model out, under its lock and in small portions, as families of samples."""
