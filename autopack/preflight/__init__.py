"""Checks before a push: what they are, what they say, and the rules of those that are built in."""
