"""Read the rules of tidy: the shipped ones, and the workspace's own."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from autopack.io.files import read_page
from autopack.state_files import TIDY_RULES
from autopack.tidy.config import Config, read_config

SHIPPED, SCHEMA = "defaults.yaml", "tidy.schema.json"


def tidy_config(root: Path) -> Config:
    """Return the rules that hold in a workspace.

    Raises:
        UsageError: Its own file is not as it should be; the message has path:line.
        Unreachable: It cannot be read.
    """
    return read_config(shipped(SHIPPED), shipped(SCHEMA), read_page(root, TIDY_RULES))


def shipped(name: str) -> bytes:
    """Return a file that comes with the package."""
    return (files("autopack.tidy") / name).read_bytes()
