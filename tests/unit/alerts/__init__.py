"""The shipped alert rules: what they say, what they read, and that they fire and stay quiet."""
