"""Tests, room by room as in the house."""
