"""Autopack keeps an AI-built repository true to its Markdown ledgers."""

__version__ = "0.1.0"
