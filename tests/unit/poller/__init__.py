"""The asking threads: what they ask when, and what they survive."""
