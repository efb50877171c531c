"""A finding about a spec."""

from __future__ import annotations

from dataclasses import dataclass

from autopack.report import PlacedFinding


@dataclass(frozen=True)
class SpecFinding(PlacedFinding):
    """A finding with its line and column, and the phase it is about ("" for the plan or file)."""

    phase: str = ""
