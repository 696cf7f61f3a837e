"""Celery's remote control: questions to workers, and what they answer."""
