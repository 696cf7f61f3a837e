"""The pages for people, drawn without any script."""
