"""Tests of what the brokers' streams are made of."""
