"""An index on each kind of database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from autopack.deadline import Deadline
from autopack.io.sql import Index
from autopack.settings import database_target


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("fresh_postgres"))
    return f"sqlite:///{tmp_path}/index.db"


@pytest.fixture
def open_index(url: str, tmp_path: Path) -> Callable[[], Index]:
    return lambda: Index(database_target(url, tmp_path, {}), Deadline.after(60))
