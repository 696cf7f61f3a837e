"""Tests of the fleet model."""
