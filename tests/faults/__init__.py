"""Injected faults, and what is needed to inject them within minutes."""
