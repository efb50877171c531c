"""Figures of a rehearsal: printed, and kept in the file that AUTOPACK_FIGURES names."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tests.support import guards


def record(rehearsal: str, **values: Any) -> None:
    """Print one line of figures, with the load of the machine, and add it to the file."""
    load = [round(one, 1) for one in os.getloadavg()]
    line = json.dumps({"rehearsal": rehearsal, **values, "load": load})
    print(line)
    if path := os.environ.get("AUTOPACK_FIGURES"):
        with guards.watching(False), Path(path).open("a") as log:
            log.write(line + "\n")
