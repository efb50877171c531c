"""Tidy: what belongs where in a workspace, and how what is moved can be moved back."""
