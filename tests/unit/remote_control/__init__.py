"""Tests of questions to workers and what they answer."""
