"""The daemon's own health: whether its connection and its polls stand, and what they refused."""
