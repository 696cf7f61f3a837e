"""Celery events: the typed form of one, and what makes it of bytes that nobody vouches for."""
