"""Failures become rules: what failed, what to do about it, who said so, and whether it helped."""
