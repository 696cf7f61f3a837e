"""Configuration: the schema, and how flags, environment and file become it."""
